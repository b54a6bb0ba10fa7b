"""A shape that a person gave a table of its own: which table each file's rows are in, and once."""

import warnings

import dagster as dg
import pyarrow as pa
import pytest

from ingest_assets.decision_errors import DecisionRefusedError
from ingest_assets.engine.column_changes import plan_add_column
from ingest_assets.engine.decision_text import plan_lines
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant
from ingest_assets_tests.end_to_end.sample_orders import json_lines
from ingest_assets_tests.end_to_end.two_shapes import (
    LAYOUT,
    OTHER,
    ids,
    part,
    plain,
    priced,
    resolve,
)
from ingest_assets_tests.end_to_end.workshop import Workshop


@pytest.fixture
def parted(workshop: Workshop) -> Workshop:
    """As `part`."""
    part(workshop)
    return workshop


def test_the_files_of_the_shape_are_in_a_table_of_their_own(parted: Workshop) -> None:
    assert ids(parted, "raw.orders") == [1, 2, 3]
    assert ids(parted, OTHER) == [4, 5, 6]
    assert parted.rows(OTHER)[0]["amount"] == {"value": 4, "currency": "EUR"}
    assert parted.partitions() == {"a.json", "b.json", "c.json", "d.json"}
    table = parted.deployment.catalog.load_table(OTHER)
    assert [str(field.transform) for field in table.spec().fields] == ["bucket[2]"]
    assert table.sort_order().fields == []


def test_later_files_of_the_shape_go_there_and_may_add_columns(parted: Workshop) -> None:
    parted.put("e.json", priced(7, more="x"))
    parted.put("f.json", plain(8))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 2}
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([1, 2, 3, 8], [4, 5, 6, 7])
    assert parted.rows(OTHER)[-1]["more"] == "x"
    assert "more" not in parted.rows("raw.orders")[0]


def test_a_column_of_the_declared_layout_may_come_into_it_later(parted: Workshop) -> None:
    parted.put("e.json", priced(7, name="n7"))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 1}
    parted.put("f.json", priced(8, name="n8"))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 1}
    assert ids(parted, OTHER) == [4, 5, 6, 7, 8]
    parted.put("g.json", json_lines([{"id": 9}]))
    assert parted.ingest(table=LAYOUT).counts == {"PARKED": 1}
    parted.put("c.json", json_lines([{"id": 4}]))
    assert parted.ingest(table=LAYOUT).counts == {"PARKED": 1}
    assert resolve(parted, 5, Resolution.MERGE) == 5  # of the other table


def test_a_file_that_changes_its_shape_moves_with_all_its_rows(parted: Workshop) -> None:
    parted.put("a.json", priced(1))
    parted.put("d.json", plain(50))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 2}
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([3, 50], [1, 4])
    assert parted.ingest(table=LAYOUT).counts == {}
    parted.put("a.json", plain(1, 2))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 1}
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([1, 2, 3, 50], [4])


def test_a_file_of_neither_shape_is_parked(parted: Workshop) -> None:
    parted.put("g.json", json_lines([{"x": 1}]))
    assert parted.ingest(table=LAYOUT).counts == {"PARKED": 1}
    assert parted.statuses()["g.json"] == "PARKED"
    parted.put("c.json", json_lines([{"x": 1}]))
    assert parted.ingest(table=LAYOUT).counts == {"PARKED": 1}
    assert ids(parted, OTHER) == [4, 5, 6]  # the rows of before stay


def test_a_change_in_the_other_table_is_decided_there(parted: Workshop) -> None:
    parted.put("c.json", json_lines([{"id": 4}]))
    assert parted.ingest(table=LAYOUT).counts == {"PARKED": 1}
    assert resolve(parted, 3, Resolution.MERGE) == 3
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 1}
    assert [row["amount"] is None for row in parted.rows(OTHER)] == [True, False, False]
    parted.put("h.json", json_lines([{"id": 9}]))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 1}
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([1, 2, 3], [4, 5, 6, 9])


def test_a_range_by_hand_may_lie_in_both_tables(parted: Workshop) -> None:
    run = parted.materialize("a.json", "d.json", table=LAYOUT)
    assert run.success
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([1, 2, 3], [4, 5, 6])


def _seen_downstream(workshop: Workshop, partition_key: str) -> list[int]:
    """The ids that an asset gets which depends on the partition."""
    seen: list[int] = []
    upstream = build_asset(workshop.ingestion(table=LAYOUT), lambda: workshop.deployment)
    manager = IcebergIOManager(lambda: workshop.deployment)

    @dg.asset(
        key=["shop", "seen"],
        ins={"rows": dg.AssetIn(dg.AssetKey(["raw", "orders"]))},
        partitions_def=dg.DynamicPartitionsDefinition(name="orders"),
    )
    def downstream(rows: pa.Table) -> None:
        seen.extend(rows["id"].to_pylist())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        defs = dg.Definitions([upstream, downstream], resources={IO_MANAGER_KEY: manager})
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=workshop.instance,
            asset_selection=[downstream.key],
            partition_key=partition_key,
        )
    return sorted(seen)


def test_downstream_assets_get_the_rows_of_a_partition_wherever_they_are(
    parted: Workshop,
) -> None:
    assert _seen_downstream(parted, "a.json") == [1, 2]
    assert _seen_downstream(parted, "d.json") == [5, 6]


def test_a_rollback_of_the_other_table_brings_its_files_back(parted: Workshop) -> None:
    parted.put("e.json", priced(7))
    parted.ingest(table=LAYOUT)
    table = parted.deployment.catalog.load_table(OTHER)
    first = table.metadata.snapshots[0]
    table.manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    parted.ingest(table=LAYOUT)
    assert (ids(parted, "raw.orders"), ids(parted, OTHER)) == ([1, 2, 3], [4, 5, 6, 7])


def test_its_columns_are_changed_by_themselves(parted: Workshop) -> None:
    ingestion = parted.ingestion(table=LAYOUT)
    plan = plan_add_column(
        parted.deployment, ingestion, "note", pa.string(), value=Constant("new"), table=OTHER
    )
    assert next(plan_lines(plan)) == f"add_column for orders ({OTHER})"
    carry_out(parted.deployment, plan, "ada", "a test")
    assert {row["note"] for row in parted.rows(OTHER)} == {"new"}
    assert "note" not in parted.rows("raw.orders")[0]
    parted.put("e.json", priced(7, note="seven"))
    parted.put("f.json", plain(8))
    assert parted.ingest(table=LAYOUT).counts == {"SUCCESS": 2}
    assert parted.rows(OTHER)[-1]["note"] == "seven"
    with pytest.raises(DecisionRefusedError, match=r"it has raw\.orders, raw\.orders_v2"):
        plan_add_column(parted.deployment, ingestion, "x", pa.string(), table="raw.orders_v9")

"""Each decision about a parked schema, from the file that brings it to the values in the table."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from ingest_assets.decision_errors import (
    DecisionOutdatedError,
    DecisionRefusedError,
    ReshapeRefusedError,
    ValuesDoNotConvertError,
)
from ingest_assets.engine import column_changes
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.tables.operations import Constant, Expression
from ingest_assets_tests.end_to_end.deciding import (
    PERSON,
    WHY,
    active,
    assert_decided,
    audit,
    decide,
    pending,
    planned,
    versions,
)
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import Row, json_lines, parquet_file
from ingest_assets_tests.end_to_end.workshop import Workshop

JSON = {"type": "json"}
PARQUET = {"type": "parquet"}


def put(workshop: Workshop, key: str, rows: Sequence[Row], format_: dict[str, str] = JSON) -> None:
    workshop.put(key, (json_lines if format_ is JSON else parquet_file)(rows))


def park(
    workshop: Workshop, old: Sequence[Row], new: Sequence[Row], format_: dict[str, str] = JSON
) -> int:
    """A table of the rows `old` from the file `a`, and `b` of `new` parked; the pending version."""
    put(workshop, "a", old, format_)
    workshop.ingest(format=format_)
    put(workshop, "b", new, format_)
    workshop.ingest(format=format_)
    assert workshop.statuses() == {"a": "SUCCESS", "b": "PARKED"}
    return pending(workshop).version


def both_again(
    workshop: Workshop, old: Sequence[Row], new: Sequence[Row], format_: dict[str, str] = JSON
) -> dict[str, str]:
    """What becomes of another file of the old shape, `c`, and another of the new one, `d`."""
    put(workshop, "c", old, format_)
    put(workshop, "d", new, format_)
    workshop.ingest(format=format_)
    return {key: status for key, status in workshop.statuses().items() if key in "cd"}


def values(workshop: Workshop) -> list[tuple[int, Row, Any]]:
    """By id what stands in the other columns of the files, without null ones, and is rescued."""
    found = []
    for row in workshop.rows():
        sent = {n: v for n, v in row.items() if not n.startswith("_") and v is not None}
        rescued = row["_rescued_data"]
        found.append((sent.pop("id"), sent, None if rescued is None else json.loads(rescued)))
    return sorted(found, key=lambda row: row[0])


# By column: an old value and a new one, what the old one reads as once types in conflict are text,
# and what the new one does; `...` is as it was sent.
CONFLICTS: dict[str, tuple[Any, Any, Any, Any]] = {
    "long_string": (1, "one", "1", "one"),
    "string_long": ("one", 1, "one", "1"),
    "long_double": (1, 1.5, "1", "1.5"),
    "boolean_string": (True, "yes", "true", "yes"),
    "struct_string": ({"a": 1}, "one", '{"a":1}', "one"),
    "long_struct": (1, {"a": [1]}, "1", '{"a":[1]}'),
    "long_list": (1, [1, 2], "1", "[1,2]"),
    "field_long_string": ({"a": 1, "b": 2}, {"a": "x", "b": 2}, {"a": "1", "b": 2}, ...),
    "field_string_long": ({"a": "x", "b": 2}, {"a": 1, "b": 2}, ..., {"a": "1", "b": 2}),
    "only_field": ({"a": 1}, {"a": "x"}, {"a": "1"}, ...),
    "element_long_string": ([1], ["x"], ["1"], ...),
    "element_string_long": (["x"], [1], ..., ["1"]),
    "only_field_of_an_element": ([{"a": 1}], [{"a": "x"}], [{"a": "1"}], ...),
    "field_of_an_element": ([{"k": 1, "a": "x"}], [{"k": 1, "a": 1}], ..., [{"k": 1, "a": "1"}]),
}


@pytest.mark.parametrize("format_", [JSON, PARQUET], ids=["json", "parquet"])
def test_merged_types_in_conflict_hold_the_values_of_both_shapes_for_good(
    workshop: Workshop, format_: dict[str, str]
) -> None:
    old = [{"id": 1, **{name: before for name, (before, _, _, _) in CONFLICTS.items()}}]
    new = [{"id": 2, **{name: after for name, (_, after, _, _) in CONFLICTS.items()}}]
    version = park(workshop, old, new, format_)
    found = pending(workshop).difference
    assert found is not None
    assert {re.split(r"\W", change.path)[0] for change in found.changes} == set(CONFLICTS)

    decide(workshop, "merge", format=format_)
    workshop.ingest(format=format_)

    texts = {
        name: (before if old_text is ... else old_text, after if new_text is ... else new_text)
        for name, (before, after, old_text, new_text) in CONFLICTS.items()
    }
    expected = [
        (1, {name: text for name, (text, _) in texts.items()}, None),
        (2, {name: text for name, (_, text) in texts.items()}, None),
    ]
    assert values(workshop) == expected
    assert workshop.statuses() == {"a": "SUCCESS", "b": "SUCCESS"}
    assert both_again(workshop, old, new, format_) == {"c": "SUCCESS", "d": "SUCCESS"}
    assert values(workshop) == sorted(2 * expected, key=lambda row: row[0])
    assert_decided(workshop, version, "merge", "ACTIVE")
    assert active(workshop).version == version
    assert versions(workshop)[1].status == "DEPRECATED"


ACCEPTED: dict[str, tuple[Any, Any, Any, str]] = {
    "long, string": (1, "one", "1", "PARKED"),
    "string, long": ("7", 8, 7, "PARKED"),
    "long, double": (1, 1.5, 1.0, "SUCCESS"),
    "struct, string": ({"a": 1}, "one", '{"a":1}', "PARKED"),
    "field: long, string": ({"a": 1, "b": 2}, {"a": "x", "b": 2}, {"a": "1", "b": 2}, "PARKED"),
    "only field of an element": ([{"a": 1}], [{"a": "x"}], [{"a": "1"}], "PARKED"),
}


@pytest.mark.parametrize("change", ACCEPTED)
def test_an_accepted_type_is_the_tables_and_files_of_the_old_one_wait_where_they_do_not_fit(
    workshop: Workshop, change: str
) -> None:
    before, after, old_value, old_files = ACCEPTED[change]
    old, new = [{"id": 1, "v": before}], [{"id": 2, "v": after}]
    version = park(workshop, old, new)

    decide(workshop, "accept")
    workshop.ingest()

    assert values(workshop) == [(1, {"v": old_value}, None), (2, {"v": after}, None)]
    assert_decided(workshop, version, "accept", "ACTIVE")
    assert both_again(workshop, old, new) == {"c": old_files, "d": "SUCCESS"}


def test_the_undo_of_a_merge_reads_null_until_the_partitions_are_materialized_anew(
    workshop: Workshop,
) -> None:
    park(workshop, [{"id": 1, "v": 1}], [{"id": 2, "v": "x"}])
    plan = decide(workshop, "merge")
    workshop.ingest()
    assert plan.table is not None
    assert plan.table.undo_snapshot_id is not None
    assert "materialize the partitions of those rows anew" in plan.table.undo
    table = workshop.deployment.catalog.load_table("raw.orders")
    table.manage_snapshots().rollback_to_snapshot(plan.table.undo_snapshot_id).commit()

    workshop.ingest()  # the file that came after it comes again
    assert values(workshop) == [(1, {}, None), (2, {"v": "x"}, None)]
    assert workshop.materialize("a").success
    assert values(workshop) == [(1, {"v": "1"}, None), (2, {"v": "x"}, None)]


def test_values_that_are_none_of_the_accepted_type_refuse_it_and_change_nothing(
    workshop: Workshop,
) -> None:
    park(workshop, [{"id": 1, "v": "one"}], [{"id": 2, "v": 2}])
    before = workshop.deployment.catalog.load_table("raw.orders").metadata

    with pytest.raises(ValuesDoNotConvertError, match="'one' for one"):
        decide(workshop, "accept")

    assert workshop.deployment.catalog.load_table("raw.orders").metadata == before
    assert pending(workshop).version == 2
    assert workshop.statuses()["b"] == "PARKED"
    assert audit(workshop) == []
    decide(workshop, "merge")
    workshop.ingest()
    assert values(workshop) == [(1, {"v": "one"}, None), (2, {"v": "2"}, None)]


def test_ignored_changes_are_rescued_now_and_later_and_other_ones_park_still(
    workshop: Workshop,
) -> None:
    old, new = [{"id": 1, "v": 1, "w": 1}], [{"id": 2, "v": "x", "n": {"deep": [1]}}]
    version = park(workshop, old, new)
    snapshot = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()

    plan = decide(workshop, "ignore")
    assert plan.table is None
    assert workshop.deployment.catalog.load_table("raw.orders").current_snapshot() == snapshot
    workshop.ingest()

    rescued = {"v": "x", "n": {"deep": [1]}}
    expected = [(1, {"v": 1, "w": 1}, None), (2, {}, rescued)]
    assert values(workshop) == expected
    assert both_again(workshop, old, new) == {"c": "SUCCESS", "d": "SUCCESS"}
    assert values(workshop) == [expected[0]] * 2 + [expected[1]] * 2
    assert_decided(workshop, version, "ignore", "DEPRECATED")
    assert active(workshop).version == 1
    put(workshop, "e", [{"id": 3, "v": True, "w": 1}])
    workshop.ingest()
    assert workshop.statuses()["e"] == "PARKED"


def test_rejected_files_never_come_in_and_what_is_uploaded_anew_is_judged_anew(
    workshop: Workshop,
) -> None:
    old, new = [{"id": 1, "v": 1}], [{"id": 2, "v": "x"}]
    version = park(workshop, old, new)

    decide(workshop, "reject")
    workshop.ingest()

    assert values(workshop) == [(1, {"v": 1}, None)]
    rejected = workshop.files()["b"]
    assert rejected.status == "REJECTED"
    assert str(rejected.error) == (
        f"Schema version {version} was rejected, and nothing of the file was written; "
        f"`ingest-assets schema show orders {version}` has the differences. Uploaded again under "
        f"its key, it is judged anew. Rejected by {PERSON}: {WHY}"
    )
    assert_decided(workshop, version, "reject", "REJECTED")
    put(workshop, "b", [{"id": 2, "v": 2}])
    put(workshop, "c", new)
    workshop.ingest()
    assert workshop.statuses() == {"a": "SUCCESS", "b": "SUCCESS", "c": "PARKED"}
    assert values(workshop) == [(1, {"v": 1}, None), (2, {"v": 2}, None)]
    assert pending(workshop).version == version + 1


@pytest.mark.parametrize("resolution", ["accept", "merge", "ignore"])
def test_a_required_column_that_is_missing_is_null_and_may_be_missing_from_now_on(
    workshop: Workshop, resolution: str
) -> None:
    old, new = [{"id": 1, "v": 1}], [{"id": 2}]
    version = park(workshop, old, new)

    plan = decide(workshop, resolution)
    assert plan.table is None
    workshop.ingest()

    assert both_again(workshop, old, new) == {"c": "SUCCESS", "d": "SUCCESS"}
    assert values(workshop) == [(1, {"v": 1}, None)] * 2 + [(2, {}, None)] * 2
    is_ignored = resolution == "ignore"
    assert_decided(workshop, version, resolution, "DEPRECATED" if is_ignored else "ACTIVE")
    (field,) = [field for field in active(workshop).fields if field["name"] == "v"]
    assert field.get("is_required", False) is is_ignored


@pytest.mark.parametrize(("resolution", "old_files"), [("accept", "PARKED"), ("merge", "SUCCESS")])
def test_a_guessed_rename_only_advises_and_both_columns_stay(
    workshop: Workshop, resolution: str, old_files: str
) -> None:
    old, new = [{"id": 1, "customer_id": 1}], [{"id": 2, "customer_ident": 2}]
    park(workshop, old, new)
    assert "perhaps renamed to `customer_ident`" in str(workshop.files()["b"].error)

    decide(workshop, resolution)
    workshop.ingest()

    assert values(workshop) == [(1, {"customer_id": 1}, None), (2, {"customer_ident": 2}, None)]
    assert both_again(workshop, old, new) == {"c": old_files, "d": "SUCCESS"}


def test_a_column_that_a_person_renames_takes_the_parked_files_in_with_their_values(
    workshop: Workshop,
) -> None:
    version = park(workshop, [{"id": 1, "customer_id": 1}], [{"id": 2, "customer_ident": 2}])
    deployment, ingestion = workshop.deployment, workshop.ingestion()

    renaming = column_changes.plan_rename_column(
        deployment, ingestion, "customer_id", "customer_ident"
    )
    carry_out(deployment, renaming, PERSON, WHY)
    plan = decide(workshop, "accept")
    assert plan.table is None
    workshop.ingest()

    both = [(1, {"customer_ident": 1}, None), (2, {"customer_ident": 2}, None)]
    assert values(workshop) == both
    assert workshop.statuses() == {"a": "SUCCESS", "b": "SUCCESS"}
    assert [action for _, action, _ in audit(workshop)] == ["schema.rename_column", "schema.accept"]
    assert_decided(workshop, version, "accept", "DEPRECATED")


def test_a_dropped_column_stays_away_and_what_files_bring_for_it_is_rescued(
    workshop: Workshop,
) -> None:
    put(workshop, "a", [{"id": 1, "v": 1, "w": 1}])
    workshop.ingest()
    deployment, ingestion = workshop.deployment, workshop.ingestion()

    dropping = column_changes.plan_drop_column(deployment, ingestion, "v")
    carry_out(deployment, dropping, PERSON, WHY)
    put(workshop, "b", [{"id": 2, "v": 2, "w": 2}])
    put(workshop, "c", [{"id": 3, "v": "of another type", "w": 3, "new": 3}])
    workshop.ingest()

    assert values(workshop) == [
        (1, {"w": 1}, None),
        (2, {"w": 2}, {"v": 2}),
        (3, {"w": 3, "new": 3}, {"v": "of another type"}),
    ]
    adding = column_changes.plan_add_column(deployment, ingestion, "v", pa.int64())
    carry_out(deployment, adding, PERSON, WHY)
    put(workshop, "d", [{"id": 4, "v": 4, "w": 4}])
    workshop.ingest()
    assert values(workshop)[-1] == (4, {"v": 4, "w": 4}, None)


def test_backfilled_columns_have_values_in_the_rows_that_are_there(workshop: Workshop) -> None:
    old = [{"id": 1, "client": "ada", "n": 1}, {"id": 2, "client": "bob", "n": 2}]
    new = [{"id": 3, "customer": "eve", "n": 3, "paid": True}]
    version = park(workshop, old, new)
    with pytest.raises(DecisionRefusedError, match="customer, paid"):
        planned(workshop, "backfill", {"customer": Constant("nobody")})

    decide(
        workshop,
        "backfill",
        {"customer": Expression("upper(client)"), "paid": Constant(False)},
    )
    workshop.ingest()

    assert values(workshop) == [
        (1, {"client": "ada", "n": 1, "customer": "ADA", "paid": False}, None),
        (2, {"client": "bob", "n": 2, "customer": "BOB", "paid": False}, None),
        (3, {"customer": "eve", "n": 3, "paid": True}, None),
    ]
    assert_decided(workshop, version, "backfill", "ACTIVE")
    assert both_again(workshop, old, new) == {"c": "SUCCESS", "d": "SUCCESS"}


def test_a_backfill_that_no_value_can_be_made_for_changes_nothing(workshop: Workshop) -> None:
    park(workshop, [{"id": 1, "w": "x"}], [{"id": 2, "n": 2}])
    plan = planned(workshop, "backfill", {"n": Expression("CAST(w AS bigint)")})

    with pytest.raises(ReshapeRefusedError, match="n"):
        carry_out(workshop.deployment, plan, PERSON, WHY)

    assert pending(workshop).version == 2
    assert workshop.statuses()["b"] == "PARKED"
    decide(workshop, "backfill", {"n": Constant(0)})
    workshop.ingest()
    assert values(workshop) == [(1, {"w": "x", "n": 0}, None), (2, {"n": 2}, None)]


def test_a_partition_source_cannot_change_its_type_and_the_refusal_says_what_can_be_done(
    workshop: Workshop,
) -> None:
    table = {"partition_by": ["region"]}
    put(workshop, "a", [{"id": 1, "region": 1, "w": 1}])
    workshop.ingest(table=table)
    put(workshop, "b", [{"id": 2, "region": "north", "w": 2}])
    workshop.ingest(table=table)

    for resolution in ("accept", "merge"):
        with pytest.raises(ReshapeRefusedError, match=r"partition spec.*Add a column beside it"):
            planned(workshop, resolution, table=table)

    assert pending(workshop).version == 2
    decide(workshop, "ignore", table=table)
    workshop.ingest(table=table)
    assert values(workshop) == [
        (1, {"region": 1, "w": 1}, None),
        (2, {"w": 2}, {"region": "north"}),
    ]


def test_a_merge_that_leaves_the_partition_source_alone_rewrites_a_partitioned_table(
    workshop: Workshop,
) -> None:
    table = {"partition_by": ["region", "bucket(4, id)"]}
    old = [{"id": n, "region": f"r{n % 3}", "v": n} for n in range(9)]
    put(workshop, "a", old)
    workshop.ingest(table=table)
    put(workshop, "b", [{"id": 9, "v": "nine"}])
    workshop.ingest(table=table)

    decide(workshop, "merge", table=table)
    workshop.ingest(table=table)

    assert values(workshop) == [
        *((n, {"region": f"r{n % 3}", "v": str(n)}, None) for n in range(9)),
        (9, {"v": "nine"}, None),
    ]
    found = workshop.deployment.catalog.load_table("raw.orders")
    assert found.scan(row_filter="region = 'r1'").to_arrow().num_rows == 3


def test_an_identifier_column_of_an_adopted_table_keeps_its_type(workshop: Workshop) -> None:
    schema = Schema(
        NestedField(1, "id", LongType(), required=True),
        NestedField(2, "w", StringType()),
        identifier_field_ids=[1],
    )
    workshop.deployment.catalog.create_namespace_if_not_exists("raw")
    table = workshop.deployment.catalog.create_table("raw.orders", schema)
    table.append(
        pa.table({"id": [1], "w": ["old"]}, schema=table.schema().as_arrow().remove_metadata())
    )
    put(workshop, "b", [{"id": "two", "w": "new"}])
    workshop.ingest()
    assert workshop.statuses() == {"b": "PARKED"}

    with pytest.raises(ReshapeRefusedError, match="identifier"):
        planned(workshop, "merge")

    decide(workshop, "ignore")
    workshop.ingest()
    found = workshop.deployment.catalog.load_table("raw.orders").scan().to_arrow().to_pylist()
    assert {(row["id"], row["w"]) for row in found} == {(1, "old"), (None, "new")}
    assert [row["_rescued_data"] for row in found if row["id"] is None] == ['{"id":"two"}']


def test_the_second_person_who_decides_about_a_version_is_told_who_was_first(
    workshop: Workshop,
) -> None:
    park(workshop, [{"id": 1, "v": 1}], [{"id": 2, "v": "x"}])
    late = {name: planned(workshop, name) for name in ("ignore", "merge", "reject")}
    decide(workshop, "merge")

    for plan in late.values():
        with pytest.raises(DecisionOutdatedError, match=f"merge by {PERSON}"):
            carry_out(workshop.deployment, plan, "bob@desk", "")
    with pytest.raises(DecisionRefusedError, match=f"merge by {PERSON}"):
        planned(workshop, "ignore", version=2)

    assert_decided(workshop, 2, "merge", "ACTIVE")
    assert len(audit(workshop)) == 1


@pytest.mark.parametrize("second", ["ignore", "merge"])
def test_a_decision_planned_before_another_one_was_made_is_planned_again(
    workshop: Workshop, second: str
) -> None:
    park(workshop, [{"id": 1, "v": 1, "w": 1}], [{"id": 2, "v": "x", "w": 1}])
    early = planned(workshop, second)
    put(workshop, "c", [{"id": 3, "v": 3}])
    workshop.ingest()
    missing = max(versions(workshop))
    freeing = planned(workshop, "merge", version=missing)
    carry_out(workshop.deployment, freeing, PERSON, WHY)

    with pytest.raises(DecisionOutdatedError, match="look at the plan again"):
        carry_out(workshop.deployment, early, "bob@desk", "")

    decide(workshop, second)
    workshop.ingest()
    put(workshop, "d", [{"id": 4, "v": 4}])
    workshop.ingest()
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    (field,) = [field for field in active(workshop).fields if field["name"] == "w"]
    assert "is_required" not in field


@pytest.mark.slow
def test_off_a_terminal_nothing_happens_without_yes(product: Product) -> None:
    product.declare()
    product.put("a", json_lines([{"id": 1, "v": 1}]))
    assert product("run", "orders").returncode == 0
    product.put("b", json_lines([{"id": 2, "v": "x"}]))
    assert product("run", "orders").returncode == 3

    shown = product("schema", "resolve", "orders", "2", "--as", "merge", "--note", WHY)
    assert shown.returncode == 0, shown.stderr
    assert "add --yes" in shown.stdout
    assert "ALTER TABLE" in shown.stdout
    assert product.json("schema", "show", "orders", "2")["status"] == "PENDING"
    assert product.json("schema", "list", "orders")[0]["status"] == "ACTIVE"

    resolve = ("schema", "resolve", "orders", "2", "--as", "merge", "--by", PERSON, "--yes")
    done = product(*resolve, "--note", WHY)
    assert done.returncode == 0, done.stderr
    assert "Done: merge of version 2" in done.stdout
    again = product(*resolve)
    assert again.returncode == 2
    assert f"merge by {PERSON}" in again.stderr
    version = product.json("schema", "show", "orders", "2")
    decided = (version["status"], version["resolution"], version["resolved_by"], version["note"])
    assert decided == ("ACTIVE", "merge", PERSON, WHY)
    assert product("run", "orders").returncode == 0
    assert product.table_rows("raw.orders") == 2

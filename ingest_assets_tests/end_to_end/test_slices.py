"""A batch that is read in slices comes out as one that is read in order, whatever is in it.

A failure names its seed: `SLICES_SEED=17` runs that one alone; `SLICES_SEEDS` says how many.
"""

import gzip
import os
import pickle
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from ingest_assets.engine import slices, spreading
from ingest_assets.engine.declared_columns import apply_declaration
from ingest_assets.engine.slices import ReadSlice, Slice
from ingest_assets.errors import CatalogError
from ingest_assets_tests.chaos import work
from ingest_assets_tests.conftest import database
from ingest_assets_tests.end_to_end.deciding import versions
from ingest_assets_tests.end_to_end.sample_orders import Row, csv_file, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop


@dataclass
class InThisProcess:
    """A cluster that gets and gives what can be pickled, and reads in another order."""

    counts: list[int] = field(default_factory=list)
    """The slices of each round."""

    def read(self, cuts: Sequence[Slice]) -> list[ReadSlice]:
        self.counts.append(len(cuts))
        sent = [pickle.dumps(cut) for cut in cuts]
        done = {
            n: pickle.dumps(slices.read(pickle.loads(sent[n]))) for n in reversed(range(len(sent)))
        }
        return [pickle.loads(done[n]) for n in range(len(sent))]


@pytest.fixture
def twin(
    workshop: Workshop, tmp_path: Path, postgres_url: str, migrated: str
) -> Iterator[Workshop]:
    """Another deployment on the same bucket."""
    with database(postgres_url, like=migrated) as url:
        made = Workshop(tmp_path / "twin", url, workshop.s3, workshop.bucket)
        yield made
        made.close()


def _file(rng: random.Random, number: int) -> bytes:
    """Plain more often than not, or any of what a batch may meet."""
    rows = orders(number * 10, rng.randint(1, 3))
    match rng.randint(0, 17):
        case 0:
            return json_lines([row | {f"new_{rng.randint(0, 2)}": "x"} for row in rows])
        case 1:
            return json_lines([row | {"new_0": 1} for row in rows])  # unless it is a text by now
        case 2:
            return json_lines(
                [row | {"nested": {"a": 1, f"b_{rng.randint(0, 2)}": 2}} for row in rows]
            )
        case 3:
            return json_lines([row | {"amount": 2**40} for row in rows])
        case 4:
            return json_lines([row | {"order_id": "many"} for row in rows])  # parked
        case 5:
            return json_lines([{**rows[0], "amount": "much"}, *orders(number * 10 + 5, 4)])
        case 6:
            return json_lines(orders(number * 10, 9)) + b"no json at all\n"
        case 7:
            return gzip.compress(json_lines(rows))[:-9]
        case 8:
            return b""
        case 9:
            del rows[0]["customer"]
            return json_lines(rows[:1])  # parked: a column that every file has
        case 10:
            return b"no json\n"
        case _:
            return json_lines(rows)


_RULES = [
    {"not_null": ["new_0"]},  # a column that the table may lack when a slice is cut
    {"sql": "round(amount) % 9 <> 4", "on_fail": "reject_rows"},
    {"unique": ["order_id"], "blocking": True},
    {"row_count": {"max": 9}, "blocking": True},
    {"row_count_change": {"max_ratio": 0.4, "last": 3}},
]


def _qualities(workshop: Workshop) -> list[tuple[str, Any]]:
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT f.key, a.detail->'quality' FROM ingest.attempts a"
            " JOIN ingest.files f USING (file_id) ORDER BY a.finished_at, a.position"
        )
        return [tuple(row) for row in found]


def _seen(workshop: Workshop) -> dict[str, Any]:
    """All that may not depend on who read the files."""
    files = workshop.files()
    return {
        "statuses": workshop.statuses(),
        "errors": {key: (row.error, row.rows, row.schema_version) for key, row in files.items()},
        "qualities": _qualities(workshop),
        "rows": _told(workshop.rows()),
        "rejected": _told(workshop.rows("raw.orders__rejected")),
        "versions": {
            number: (v.status, v.fields, v.difference and v.difference.to_json(), v.files)
            for number, v in versions(workshop).items()
        },
    }


def _told(rows: list[Row]) -> list[Row]:
    return [
        {k: v for k, v in row.items() if k not in ("_ingested_at", "_content_id")} for row in rows
    ]


def _seeds() -> list[int]:
    if "SLICES_SEED" in os.environ:
        return [int(os.environ["SLICES_SEED"])]
    return list(range(int(os.environ.get("SLICES_SEEDS", "8"))))


_ALL = "select * from source"
_MADE = """
    select * exclude (amount), amount * 2 as twice, new_1 || '!' as told, customer as who
    from source where order_id % 10 <> 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_all_columns_through_a_transform_are_what_they_are_without(
    workshop: Workshop, twin: Workshop, seed: int
) -> None:
    _check_same(workshop, twin, seed, None, _ALL, {}, None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_slices_give_what_reading_in_order_gives_through_a_transform(
    workshop: Workshop, twin: Workshop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1 + seed)
    cluster = InThisProcess()
    workshop.put("00", json_lines([row | {"new_1": "x"} for row in orders(7000)]))
    _check_same(workshop, twin, seed, _MADE, _MADE, {}, cluster)
    assert sum(cluster.counts) > 0
    assert "SUCCESS" in workshop.statuses().values()


def _check_same(
    workshop: Workshop,
    twin: Workshop,
    seed: int,
    one: str | None,
    other: str | None,
    rules: dict[str, str],
    cluster: InThisProcess | None,
) -> None:
    """The ingestion and its twin, with a transform each, make the same of random files."""
    rng = random.Random(seed)
    for start in (0, 12):
        for number in range(start, start + 12):
            workshop.put(f"{number:03d}", _file(rng, number))
        work.engine_pass(workshop.deployment, workshop.ingestion(schema=rules, transform=one))
        work.engine_pass(twin.deployment, twin.ingestion(schema=rules, transform=other), cluster)
    found, expected = _seen(twin), _seen(workshop)
    for name in expected:
        assert found[name] == expected[name]


@pytest.mark.slow
@pytest.mark.parametrize("seed", _seeds(), ids=lambda seed: f"seed {seed}")
def test_slices_give_what_reading_in_order_gives(
    workshop: Workshop, twin: Workshop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(spreading, "SLICE_FILES", rng.randint(1, 4))
    rules = {
        "on_type_change": rng.choice(["review", "rescue"]),
        "on_new_column": rng.choice(["merge", "merge", "rescue"]),
    }
    declared = {"schema": rules, "quality": _RULES, "max_rejected_ratio": 0.6}
    cluster = InThisProcess()
    for start in (0, 12):
        for number in range(start, start + 12):
            workshop.put(f"{number:03d}", _file(rng, number))
        work.engine_pass(workshop.deployment, workshop.ingestion(**declared))
        work.engine_pass(twin.deployment, twin.ingestion(**declared), cluster)
    found, expected = _seen(twin), _seen(workshop)
    for name in expected:
        assert found[name] == expected[name]
    assert sum(cluster.counts) > 0


def test_an_empty_text_of_a_csv_file_is_one_where_a_file_before_it_brought_its_column(
    workshop: Workshop, twin: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    for number, note in enumerate([None, "", "x", "", None]):
        rows = orders(number * 10, **({} if note is None else {"note": note}))
        workshop.put(f"{number}", csv_file(rows).replace(b",\n", b',""\n'))
    declared = {"format": {"type": "csv"}}
    work.engine_pass(workshop.deployment, workshop.ingestion(**declared))
    work.engine_pass(twin.deployment, twin.ingestion(**declared), InThisProcess())
    assert [row["note"] for row in workshop.rows()[::3]] == [None, None, "x", "", None]
    assert _seen(twin) == _seen(workshop)


def test_a_table_of_declared_columns_is_begun_once_and_by_its_first_rows(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    begun: list[str] = []
    catalog = workshop.deployment.catalog
    begin = catalog.create_table_transaction

    def counted(identifier: str, *args: Any, **more: Any) -> Any:
        begun.append(identifier)
        return begin(identifier, *args, **more)

    monkeypatch.setattr(catalog, "create_table_transaction", counted)
    workshop.put("0", b"")
    for number in range(1, 4):
        workshop.put(f"{number}", json_lines(orders(number * 10)))
    cluster = InThisProcess()
    ingestion = workshop.ingestion(
        schema={"columns": [{"name": "order_id", "type": "long"}]},
        table={"partition_by": ["customer"]},  # of which the first rows tell
    )
    workshop.deployment.ledger.register(ingestion.name, ingestion.table.identifier)
    apply_declaration(workshop.deployment, ingestion)
    work.engine_pass(workshop.deployment, ingestion, cluster)
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    assert cluster.counts == [2]
    assert begun == ["raw.orders", "raw.orders__rejected"]
    assert len(workshop.rows()) == 3 * 3


def test_an_adopted_table_gets_the_same_columns_in_the_same_order(
    workshop: Workshop, twin: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    for number in range(4):
        workshop.put(f"{number}", json_lines(orders(number * 10, **({"new": 1} if number else {}))))
    cluster, schemas = InThisProcess(), []
    for place, reader in ((workshop, None), (twin, cluster)):
        catalog = place.deployment.catalog
        catalog.create_namespace("raw")
        schema = Schema(NestedField(1, "order_id", LongType(), required=True))
        catalog.create_table("raw.orders", schema)
        work.engine_pass(place.deployment, place.ingestion(), reader)
        schemas.append(catalog.load_table("raw.orders").schema().as_struct())
    assert schemas[0] == schemas[1]
    assert _seen(twin) == _seen(workshop)
    assert cluster.counts == [3, 2]


def test_only_what_is_not_plain_is_read_again_after_a_new_column(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    rescued = [{**row, "amount": "much" if row["order_id"] == 51 else 1.5} for row in orders(50, 9)]
    bodies = [
        orders(10),
        orders(20),
        orders(30, note="x"),
        orders(40),
        rescued,
        orders(60, note="y"),
    ]
    for number, rows in enumerate(bodies):
        workshop.put(f"{number}", json_lines(rows))
    cluster = InThisProcess()
    work.engine_pass(workshop.deployment, workshop.ingestion(), cluster)
    assert cluster.counts == [5, 2]  # the first file is read here; 4 and 5 again
    assert len(workshop.rows()) == 5 * 3 + 9
    assert _data_files(workshop) == 6


def test_data_files_of_what_is_read_again_are_deleted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    for number in range(4):
        workshop.put(
            f"{number}", json_lines(orders(number * 10, **({f"c{number}": 1} if number else {})))
        )
    cluster = InThisProcess()
    work.engine_pass(workshop.deployment, workshop.ingestion(), cluster)
    assert cluster.counts == [3, 2, 1]
    assert _data_files(workshop) == 4


def test_a_slice_that_cannot_be_read_fails_the_batch_and_leaves_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(InThisProcess):
        def read(self, cuts: Sequence[Slice]) -> list[ReadSlice]:
            raise CatalogError("the warehouse is out of reach")

    workshop.put("0", json_lines(orders(1)))
    workshop.put("1", json_lines(orders(10)))
    work.engine_pass(workshop.deployment, workshop.ingestion(), Broken())
    assert set(workshop.statuses().values()) == {"FAILED"}
    assert workshop.rows() == []


@pytest.mark.parametrize(
    "body", [json_lines(orders(10)), b'{"order_id": }\n' * 2], ids=["rows", "rejected"]
)
def test_a_warehouse_that_is_another_place_for_the_cluster_is_found_out(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    class Elsewhere(InThisProcess):
        def read(self, cuts: Sequence[Slice]) -> list[ReadSlice]:
            done = super().read(cuts)
            for data_file in (*done[0].rows, *done[0].rejected):
                Path(data_file.file_path.removeprefix("file://")).unlink()
            return done

    workshop.put("0", json_lines(orders(1)))
    workshop.put("1", body)
    ingestion = workshop.ingestion(max_rejected_ratio=1.0)
    work.engine_pass(workshop.deployment, ingestion, Elsewhere())
    assert "that this machine and all executors share" in capsys.readouterr().err
    assert set(workshop.statuses().values()) == {"DISCOVERED"}
    assert workshop.rows() == []


def test_a_slice_has_no_password_of_the_catalog(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__S3__SECRET_ACCESS_KEY", "key-of-the-warehouse")
    seen: list[Slice] = []

    class Watched(InThisProcess):
        def read(self, cuts: Sequence[Slice]) -> list[ReadSlice]:
            seen.extend(cuts)
            return super().read(cuts)

    for number in range(2):
        workshop.put(f"{number}", json_lines(orders(number * 10)))
    work.engine_pass(workshop.deployment, workshop.ingestion(), Watched())
    [cut] = seen
    assert set(cut.table.io_properties) == {"s3.secret-access-key", "py-io-impl"}
    assert cut.table.io_properties["s3.secret-access-key"] == "key-of-the-warehouse"
    assert "key-of-the-warehouse" not in repr(cut)


def _data_files(workshop: Workshop) -> int:
    """How many there are in the warehouse of the table, named by a snapshot or not."""
    return len(list((workshop.deployment.settings.warehouse / "raw").rglob("orders/**/*.parquet")))

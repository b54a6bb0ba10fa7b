"""Small data files become few: which, in which order, and with every value as it was."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table

from ingest_assets.maintenance_errors import MaintenanceRefusedError
from ingest_assets.tables import sorted_runs
from ingest_assets.tables.compaction import Compacted, compact
from ingest_assets.tables.compaction_plan import FileSizes, file_groups, live_tasks
from ingest_assets.tables.expiry import expire
from ingest_assets.tables.expiry_plan import Retention
from ingest_assets.tables.manifests import plan_manifests, rewrite_manifests
from ingest_assets.tables.orphans import delete_orphans, find_orphans
from ingest_assets_tests.tables.lake import IDENTIFIER, OWNER, Lake, columns, layout
from ingest_assets_tests.tables.position_deletes import delete_positions

LARGE = FileSizes(10**8, 2)
SHAPE = columns(
    id=pa.int64(),
    region=pa.string(),
    score=pa.float64(),
    tags=pa.list_(pa.struct([("x", pa.int64())])),
    notes=pa.map_(pa.string(), pa.struct([("y", pa.string())])),
)


def file(ids: Sequence[int]) -> pa.Table:
    """Rows with every kind of nothing in them."""
    odd: list[tuple[Any, ...]] = [
        ("north", 1.5, None, None),
        (None, None, [], []),
        ("south", float("nan"), [None], [("k", None)]),
        ("north", -0.0, [{"x": None}, {"x": 1}], [("k", {"y": None})]),
    ]
    rows = [(number, *odd[number % len(odd)]) for number in ids]
    return pa.table(
        {
            column.name: pa.array(values, column.type)
            for column, values in zip(SHAPE, zip(*rows, strict=True), strict=True)
        }
    )


def put_together(lake: Lake, tmp_path: Path, sizes: FileSizes = LARGE) -> Compacted:
    return compact(lake.catalog, lake.identifier, OWNER, sizes, tmp_path / "spool")


def told(table: Table) -> list[str]:
    """Every row in words, in an order of their own: NaN is like itself there."""
    return sorted(map(str, table.scan().to_arrow().to_pylist()))


@pytest.mark.parametrize(
    ("partition_by", "sort_by"),
    [((), ()), (("region",), ()), ((), ("id desc",)), (("region",), ("score", "id desc"))],
)
def test_every_row_is_as_it_was_and_stands_in_the_tables_order(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    partition_by: tuple[str, ...],
    sort_by: tuple[str, ...],
) -> None:
    monkeypatch.setattr(sorted_runs, "RUN_BYTES", 2_000)
    monkeypatch.setattr(sorted_runs, "BLOCK_ROWS", 13)
    wanted = layout(*partition_by, sort_by=sort_by)
    for number in range(6):
        lake.write({number + 1: file(range(number * 40, number * 40 + 40))}, wanted, shape=SHAPE)
    before = told(lake.table)
    nulls = pq.read_table(lake.addresses()[0].removeprefix("file://"))["tags"].null_count
    done = put_together(lake, tmp_path)
    assert done.new_files == len(lake.addresses()) == (3 if partition_by else 1)
    assert (done.rows, done.old_files) == (240, 18 if partition_by else 6)
    assert told(lake.table) == before
    for address in lake.addresses():
        rows = pq.read_table(address.removeprefix("file://"))
        if sort_by == ("id desc",):
            assert rows["id"].to_pylist() == sorted(rows["id"].to_pylist(), reverse=True)
        elif sort_by:
            order = [(s is None, s != s, s, -i) for s, i in _pairs(rows)]
            assert order == sorted(order, key=lambda one: (one[0], one[1], one[2] or 0, one[3]))
        else:
            assert rows["_file_id"].to_pylist() == sorted(rows["_file_id"].to_pylist())
    if not partition_by and not sort_by:
        assert rows["tags"].null_count == 6 * nulls
    assert put_together(lake, tmp_path) == Compacted()
    assert not list((tmp_path / "spool").iterdir()) if sort_by else True


def _pairs(rows: pa.Table) -> list[tuple[Any, int]]:
    return list(zip(rows["score"].to_pylist(), rows["id"].to_pylist(), strict=True))


def test_rows_that_another_engine_deleted_are_left_out_and_stay_deleted(
    lake: Lake, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        lake.write({number: file(range(number * 10, number * 10 + 4))}, shape=SHAPE)
    [address, *_] = lake.addresses()
    ids = pq.read_table(address.removeprefix("file://"))["id"].to_pylist()
    delete_positions(lake.table, address, [0, 2], tmp_path)
    done = put_together(lake, tmp_path)
    assert (done.rows, done.new_files) == (10, 1)
    assert lake.column("id") == sorted(
        {10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33} - {ids[0], ids[2]}
    )


def test_only_neighbours_that_are_small_are_taken_and_only_when_it_is_worth_it(
    lake: Lake, tmp_path: Path
) -> None:
    for number in range(1, 7):
        lake.write({number: file(range(40))}, shape=SHAPE)
    tasks = live_tasks(lake.table)
    size = max(task.file.file_size_in_bytes for task in tasks)

    def groups(target: int, least: int) -> list[int]:
        found = file_groups(lake.table, tasks, FileSizes(target, least))
        return [len(group.tasks) for group in found]

    assert groups(10**8, 7) == []
    assert groups(10**8, 6) == [6]
    assert groups(3 * size, 2) == [3, 3]
    assert groups(3 * size, 9) == [3, 3]  # each fills a new data file
    assert groups(size, 2) == []  # none is small
    with lake.table.update_spec() as update:
        update.add_identity("region")
    assert file_groups(lake.table, live_tasks(lake.table), LARGE) == ()


def test_manifests_are_written_anew_when_there_are_many(lake: Lake) -> None:
    for number in range(1, 13):
        lake.write({number: file(range(4))}, shape=SHAPE)
    before = told(lake.table)
    plan = plan_manifests(lake.table)
    assert (plan.manifests, plan.needed, plan.is_worth_it) == (12, 1, True)
    assert rewrite_manifests(lake.catalog, IDENTIFIER, OWNER) == plan
    assert plan_manifests(lake.table).manifests == 1
    assert told(lake.table) == before
    files = [task.file for task in live_tasks(lake.table)]
    assert [file.content for file in files] == [DataFileContent.DATA] * 12
    lake.write({1: file(range(2))}, shape=SHAPE)
    assert len(told(lake.table)) == 11 * 4 + 2


def test_a_table_in_s3_is_kept_as_one_in_a_folder(s3_lake: Lake, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        s3_lake.write({number: file(range(4))}, shape=SHAPE)
    s3_lake.write({4: file(range(8))}, shape=SHAPE)
    before, table = told(s3_lake.table), s3_lake.table
    orphan = f"{table.metadata.location}/data/compact-dead ü/1%2F2.parquet"
    with table.io.new_output(orphan).create() as sink:
        sink.write(b"left")
    assert put_together(s3_lake, tmp_path).old_files == 4
    later = datetime.now(UTC) + timedelta(days=9)
    done = expire(
        s3_lake.catalog,
        IDENTIFIER,
        OWNER,
        Retention(1, timedelta(days=1)),
        later,
        lambda in_main, abandoned: frozenset(),
        lambda uuid, positions: None,
    )
    assert (len(done.snapshots), len(done.files.data), done.kept_files) == (4, 4, 0)
    arguments = (s3_lake.catalog, IDENTIFIER, OWNER)
    orphans = find_orphans(*arguments, timedelta(days=1), later, lambda: ())
    assert [one.location for one in orphans.files] == [orphan]
    assert delete_orphans(*arguments, orphans, lambda _: None).kept_files == 0
    assert find_orphans(*arguments, timedelta(days=1), later, lambda: ()).files == ()
    assert told(s3_lake.table) == before


def test_orphans_are_not_looked_for_where_the_listing_cannot_be_trusted(
    lake: Lake, tmp_path: Path
) -> None:
    lake.write({1: file(range(4))}, shape=SHAPE)
    arguments = (lake.catalog, IDENTIFIER, OWNER)
    later = datetime.now(UTC) + timedelta(days=9)
    with pytest.raises(MaintenanceRefusedError, match="younger than"):
        find_orphans(*arguments, timedelta(hours=23), later, lambda: ())
    inner = f"{lake.table.metadata.location}/data/inner"
    lake.catalog.create_table("raw.inner", lake.table.schema(), location=inner)
    with pytest.raises(MaintenanceRefusedError, match="inside of the folder"):
        find_orphans(*arguments, timedelta(days=1), later, lambda: ())
    lake.catalog.drop_table("raw.inner")
    [address] = lake.addresses()
    Path(address.removeprefix("file://")).unlink()
    with pytest.raises(MaintenanceRefusedError, match="lacks 1 files"):
        find_orphans(*arguments, timedelta(days=1), later, lambda: ())

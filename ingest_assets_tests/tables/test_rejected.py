"""The table of rejected rows beside the main one."""

from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table

from ingest_assets.errors import LeaseLostError, TableOwnershipError
from ingest_assets.tables import racing
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.rejected import (
    COLUMNS,
    first_reason,
    make_rejected,
    open_rejected,
    rejected_rows,
    restore_rejected,
)
from ingest_assets_tests.tables.lake import IDENTIFIER, NOW, OWNER, Lake, read_by_duckdb

READ = pa.table(
    {
        "source_row": pa.array([7, 9], pa.int32()),
        "raw": pa.array([b'{"a": ', b"caf\xe9,1"]),
        "reason": ["not closed", "not UTF-8"],
    }
)


def _reject(lake: Lake, batch_id: str, rows: pa.Table) -> None:
    target = open_rejected(lake.catalog, IDENTIFIER, OWNER)
    target.evolve(COLUMNS)
    writer = DataFileWriter(target, batch_id)
    for file_id in (1, 2):
        origin = Origin(f"s3://b/{file_id}", file_id, file_id, rows.num_rows)
        writer.write(with_lineage(rejected_rows(rows), [origin], NOW))
    commit(Prepared(batch_id, target, writer.finish(), "_file_id", [1, 2]), lambda: True)


def test_a_rejected_row_keeps_its_bytes_its_line_and_the_reason(lake: Lake) -> None:
    _reject(lake, "b1", READ)
    table = lake.catalog.load_table(f"{IDENTIFIER}__rejected")
    assert "_rescued_data" not in table.schema().column_names
    rows = table.scan(row_filter="_file_id = 1").to_arrow().sort_by("_source_row").to_pylist()
    assert [row["raw"] for row in rows] == ['{"a": ', "caf\\xe9,1"]
    assert [row["raw_bytes"] for row in rows] == [None, b"caf\xe9,1"]
    assert [row["_source_row"] for row in rows] == [7, 9]
    assert [row["reason"] for row in rows] == ["not closed", "not UTF-8"]
    (task, *_) = table.scan().plan_files()
    assert read_by_duckdb([task.file.file_path], "raw_bytes")["raw_bytes"].null_count == 2


def test_what_an_earlier_attempt_left_is_replaced(lake: Lake) -> None:
    _reject(lake, "b1", READ)
    _reject(lake, "b2", READ.slice(1))
    table = lake.catalog.load_table(f"{IDENTIFIER}__rejected")
    assert table.scan().to_arrow().sort_by("_file_id")["_source_row"].to_pylist() == [9, 9]


def test_it_can_be_made_empty_so_that_there_is_something_to_fence(lake: Lake) -> None:
    make_rejected(lake.catalog, IDENTIFIER, OWNER)
    make_rejected(lake.catalog, IDENTIFIER, OWNER)
    table = lake.catalog.load_table(f"{IDENTIFIER}__rejected")
    assert table.scan().to_arrow().num_rows == 0
    _reject(lake, "b1", READ)
    assert table.refresh().scan().to_arrow().num_rows == 4


def _taken_for_left_over(lake: Lake) -> Table:
    """The rows of two contents came with b1, and b2 removed those of the first."""
    _reject(lake, "b1", READ)
    target = open_rejected(lake.catalog, IDENTIFIER, OWNER)
    commit(Prepared("b2", target, [], "_content_id", [1]), lambda: True)
    table = lake.catalog.load_table(f"{IDENTIFIER}__rejected")
    assert _contents(table) == [2, 2]
    return table


def _contents(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow()["_content_id"].to_pylist())


def _restored(lake: Lake, *contents: int, is_held: bool = True) -> int:
    return restore_rejected(lake.catalog, IDENTIFIER, "b1", contents, lambda: is_held)


def test_rows_that_were_taken_for_left_over_come_back_once(lake: Lake) -> None:
    table = _taken_for_left_over(lake)
    before = table.scan(row_filter="_content_id = 2").to_arrow()
    assert [_restored(lake, 1, 2) for _ in range(2)] == [2, 0]
    assert _contents(table) == [1, 1, 2, 2]
    back = table.scan(row_filter="_content_id = 1").to_arrow()
    assert back["raw_bytes"].to_pylist() == before["raw_bytes"].to_pylist()
    assert back["_ingested_at"].to_pylist() == before["_ingested_at"].to_pylist()


def test_nothing_comes_back_without_the_lease(lake: Lake) -> None:
    table = _taken_for_left_over(lake)
    with pytest.raises(LeaseLostError, match="nothing was written"):
        _restored(lake, 1, is_held=False)
    assert _contents(table) == [2, 2]


def test_a_commit_of_them_that_its_client_sends_twice_is_well(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _taken_for_left_over(lake)
    monkeypatch.setattr(racing, "WAIT_SECONDS", (0.0, 0.01))
    commit_table, sent = type(lake.catalog).commit_table, []

    def refused_by_its_own_first_sending(*arguments: Any) -> Any:
        answer = commit_table(*arguments)
        sent.append(answer)
        if len(sent) == 1:
            raise CommitFailedException("the version is not the present one")
        return answer

    monkeypatch.setattr(type(lake.catalog), "commit_table", refused_by_its_own_first_sending)
    assert _restored(lake, 1) == 0
    assert len(sent) == 1
    assert _contents(table) == [1, 1, 2, 2]


def test_a_table_of_that_name_that_is_somebody_elses_is_refused(lake: Lake) -> None:
    make_rejected(lake.catalog, IDENTIFIER, Owner("others", "ledger-1"))
    with pytest.raises(TableOwnershipError, match="orders__rejected"):
        open_rejected(lake.catalog, IDENTIFIER, OWNER)


def test_the_first_reason_names_its_line() -> None:
    assert first_reason(READ) == "line 7: not closed"

"""A change of schema is committed once, under the lease, on the table as it is then, or not."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.errors import (
    CatalogError,
    CommitConflictError,
    CommitUnknownError,
    LeaseLostError,
    TableMissingError,
    TableOwnershipError,
)
from ingest_assets.tables import racing
from ingest_assets.tables.commit import Steps, fence
from ingest_assets.tables.main_branch import batches_of
from ingest_assets.tables.operations import AddColumn, Operation, Rename, Retype
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.reshape import Reshaped, reshape
from ingest_assets_tests.tables.conftest import NewCatalog
from ingest_assets_tests.tables.lake import IDENTIFIER, Lake
from ingest_assets_tests.tables.shapes import change, fill_lake, values_of
from ingest_assets_tests.tables.test_commit import LosesTheAnswer, SendsTwice

RETYPE = Retype(("v",), pa.string())
RENAME = Rename(("v",), "w")
BOTH = pytest.mark.parametrize("operation", [RETYPE, RENAME])


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "WAIT_SECONDS", (0.0, 0.05))


def _change(lake: Lake, operation: Operation, is_held: Any, steps: Steps) -> Reshaped:
    return reshape(lake.catalog, IDENTIFIER, lake.owner, [operation], "r-1", is_held, steps)


def _once(action: Any) -> Any:
    waiting = [action]
    return lambda: waiting.pop()() if waiting else None


def _rewritten(tmp_path: Path) -> int:
    return len(list(tmp_path.rglob("*-reshaped-*.parquet")))


@BOTH
@pytest.mark.parametrize("moment", ["loaded", "lease_checked"])
def test_rows_that_come_between_load_and_commit_are_changed_too(
    lake: Lake, new_catalog: NewCatalog, operation: Any, moment: str, tmp_path: Path
) -> None:
    fill_lake(lake, v=pa.array([1, None]))
    other = Lake(new_catalog())

    def append() -> None:
        other.write({3: pa.table({"id": [7], "v": [8]})})

    asked: list[int] = []
    steps = Steps(**{moment: _once(append)})
    done = _change(lake, operation, lambda: not asked.append(1), steps)  # type: ignore[func-returns-value]
    assert len(asked) == 2
    if operation is RETYPE:
        assert values_of(lake, "v") == ["1", None, "1", "8"]
        assert done.rewritten_files == 3
        assert _rewritten(tmp_path) == 1
    else:
        assert sorted(map(str, lake.table.scan().to_arrow()["w"].to_pylist())) == [
            *"118",
            "None",
        ]


def test_a_schema_that_others_changed_meanwhile_is_the_one_that_is_changed(
    lake: Lake, new_catalog: NewCatalog
) -> None:
    fill_lake(lake, v=pa.array([1]))
    other = Lake(new_catalog())
    faster = Steps(lease_checked=_once(lambda: change(other, RENAME, batch_id="other")))
    with pytest.raises(
        ReshapeRefusedError, match="Change the type of v: the table has no such column"
    ):
        _change(lake, RETYPE, lambda: True, faster)
    assert batches_of(lake.catalog, IDENTIFIER).in_main.count("other") == 1
    add = AddColumn(("more",), pa.int64())
    other_add = AddColumn(("another",), pa.int64())
    faster = Steps(lease_checked=_once(lambda: change(other, other_add, batch_id="other-2")))
    _change(lake, add, lambda: True, faster)
    assert lake.table.schema().column_names[-2:] == ["another", "more"]


@BOTH
def test_a_lost_lease_changes_nothing(lake: Lake, operation: Any, tmp_path: Path) -> None:
    fill_lake(lake, v=pa.array([1]))
    before = lake.table.metadata_location
    with pytest.raises(LeaseLostError, match="nothing was written"):
        _change(lake, operation, lambda: False, Steps())
    assert lake.table.metadata_location == before
    assert _rewritten(tmp_path) == 0


@BOTH
def test_a_fence_stops_a_worker_that_slept_before_its_commit(lake: Lake, operation: Any) -> None:
    fill_lake(lake, v=pa.array([1]))
    lake.table.transaction().remove_properties("commit.retry.num-retries").commit_transaction()
    answers = iter([True, False])
    sleeps = Steps(lease_checked=lambda: fence(lake.catalog, IDENTIFIER, "r-1") and None)
    with pytest.raises(LeaseLostError):
        _change(lake, operation, lambda: next(answers), sleeps)
    assert str(lake.table.schema().find_type("v")) == "long"
    assert fence(lake.catalog, IDENTIFIER, "r-1") is None


def test_others_that_are_always_faster_end_the_tries(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(racing, "TRIES", 3)
    fill_lake(lake, v=pa.array([1]))
    faster = Steps(
        lease_checked=lambda: lake.table.append(lake.table.scan().to_arrow().slice(0, 0))
    )
    with pytest.raises(CommitConflictError):
        _change(lake, RETYPE, lambda: True, faster)
    assert values_of(lake, "v") == [1, 1]
    assert _rewritten(tmp_path) == 0


@BOTH
@pytest.mark.parametrize("is_sent", [True, False])
def test_a_lost_answer_is_an_error_of_its_own_and_the_fence_finds_out(
    new_catalog: NewCatalog, is_sent: bool, operation: Any, tmp_path: Path
) -> None:
    catalog = new_catalog(LosesTheAnswer)
    assert isinstance(catalog, LosesTheAnswer)
    lake = Lake(catalog)
    fill_lake(lake, v=pa.array([1, None]))
    catalog.lost, catalog.is_sent = True, is_sent
    with pytest.raises(CommitUnknownError, match="server closed the connection"):
        change(lake, operation)
    assert _rewritten(tmp_path) == (operation is RETYPE)  # the table may name it
    found = fence(new_catalog(), IDENTIFIER, "r-1")
    assert (found is not None) == is_sent
    name = "w" if is_sent and operation is RENAME else "v"
    kind = "string" if is_sent and operation is RETYPE else "long"
    assert str(lake.table.schema().find_type(name)) == kind


@BOTH
def test_a_commit_that_is_refused_by_its_own_first_sending_is_done(
    new_catalog: NewCatalog, operation: Any
) -> None:
    catalog = new_catalog(SendsTwice)
    assert isinstance(catalog, SendsTwice)
    lake = Lake(catalog)
    fill_lake(lake, v=pa.array([1]))
    catalog.twice = True
    done = change(lake, operation)
    assert done.snapshot_id == lake.table.metadata.current_snapshot_id
    assert batches_of(catalog, IDENTIFIER).in_main.count("r-1") == 1
    assert lake.table.scan().to_arrow().num_rows == 2


def test_a_table_of_somebody_else_or_none_is_not_changed(lake: Lake) -> None:
    with pytest.raises(TableMissingError, match=IDENTIFIER):
        change(lake, RENAME)
    fill_lake(lake, v=pa.array([1]))
    before = lake.table.metadata_location
    with pytest.raises(TableOwnershipError):
        change(Lake(lake.catalog, owner=Owner("other", "ledger-1")), RENAME)
    assert lake.table.metadata_location == before


def test_a_warehouse_that_is_gone_is_a_catalog_error(lake: Lake) -> None:
    fill_lake(lake, v=pa.array([1]))
    before = lake.table.metadata_location
    Path(lake.addresses()[0].removeprefix("file://")).unlink()
    with pytest.raises(CatalogError, match="the table is unchanged"):
        change(lake, RETYPE)
    assert lake.table.metadata_location == before

"""The commit: once, against the snapshot that was loaded, under the lease, or not at all."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import CommitTableResponse, Table
from sqlalchemy.exc import OperationalError

from ingest_assets.errors import (
    CatalogError,
    CommitConflictError,
    CommitUnknownError,
    LeaseLostError,
)
from ingest_assets.tables import racing
from ingest_assets.tables.commit import Prepared, Steps, commit, fence
from ingest_assets.tables.main_branch import TableBatches, batches_of
from ingest_assets.tables.target import without_client_retries
from ingest_assets_tests.tables.conftest import NewCatalog
from ingest_assets_tests.tables.lake import IDENTIFIER, Lake, columns, layout

SHAPE = columns(id=pa.int64())


def _rows(*ids: int) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64())})


def _prepared(lake: Lake, files: dict[int, pa.Table], ids: Any = None) -> Prepared:
    return lake.stage(lake.open(), SHAPE, files, ids)


def _batch_ids(table: Table) -> list[str | None]:
    return [
        None if s.summary is None else s.summary.additional_properties.get("ingest.batch-id")
        for s in table.snapshots()
    ]


def _fence(lake: Lake, prepared: Prepared) -> None:
    fence(lake.catalog, IDENTIFIER, prepared.batch_id)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "WAIT_SECONDS", (0.0, 0.05))


def test_a_batch_is_one_snapshot_that_carries_its_id(lake: Lake) -> None:
    first = _prepared(lake, {1: _rows(1), 2: _rows(2)})
    committed = commit(first, lambda: True)
    assert committed.snapshot_id == lake.table.metadata.current_snapshot_id
    second = _prepared(lake, {1: _rows(10)})  # replaces, adds and evolves at once
    second.target.evolve(columns(more=pa.string()))
    commit(second, lambda: True)
    assert _batch_ids(lake.table) == [first.batch_id, second.batch_id]
    assert lake.column("id") == [2, 10]


def test_a_batch_with_nothing_to_commit_commits_nothing(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    before = lake.table.metadata_location
    assert commit(_prepared(lake, {}, [5]), lambda: True).snapshot_id is None
    assert lake.table.metadata_location == before


def test_a_schema_change_alone_is_committed_without_a_snapshot(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    prepared = _prepared(lake, {}, [])
    prepared.target.evolve(columns(more=pa.string()))
    assert commit(prepared, lambda: True).snapshot_id is None
    assert "more" in lake.table.schema().column_names


def test_a_file_that_is_empty_now_leaves_with_its_rows(lake: Lake) -> None:
    lake.write({1: _rows(1), 2: _rows(2)})
    committed = commit(_prepared(lake, {}, [1]), lambda: True)
    assert committed.removed_rows == 1
    assert lake.column("id") == [2]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_stale_handles_the_later_goes_on_from_the_newer_table(
    lake: Lake, new_catalog: NewCatalog, first: int
) -> None:
    lake.write({9: _rows(9)})
    other = Lake(new_catalog())
    batches = [_prepared(lake, {1: _rows(1)}), _prepared(other, {1: _rows(1), 2: _rows(2)})]
    winner, loser = batches[first], batches[1 - first]
    done = []

    def interfere() -> None:
        if not done:
            done.append(commit(winner, lambda: True))

    asked = []
    committed = commit(loser, lambda: not asked.append(1), Steps(lease_checked=interfere))  # type: ignore[func-returns-value]
    assert len(asked) == 2  # the lease is asked for after each load
    assert committed.removed_rows == 1
    # The loser's contents of file 1 are the last; file 2 stays whoever brought it.
    assert lake.column("id") == [1, 2, 9]
    assert _batch_ids(lake.table)[1:] == [winner.batch_id, loser.batch_id]


def test_a_writer_that_comes_between_load_and_commit_costs_one_more_load(lake: Lake) -> None:
    lake.write({1: _rows(1, 2, 3), 2: _rows(4)})
    loads = []

    def loaded() -> None:
        loads.append(1)
        if len(loads) <= 3:
            lake.table.append(lake.table.scan().to_arrow().slice(0, 0))

    committed = commit(_prepared(lake, {1: _rows(5)}), lambda: True, Steps(loaded=loaded))
    assert len(loads) == 4
    assert committed.rewritten_files == 1
    assert lake.column("id") == [4, 5]


def test_the_files_rewritten_for_a_lost_race_are_deleted(lake: Lake, tmp_path: Path) -> None:
    lake.write({1: _rows(1), 2: _rows(2)})
    loads = []

    def loaded() -> None:
        loads.append(1)
        if len(loads) == 1:
            lake.table.append(lake.table.scan().to_arrow().slice(0, 0))

    commit(_prepared(lake, {1: _rows(3)}), lambda: True, Steps(loaded=loaded))
    assert len(loads) == 2
    assert len(list(tmp_path.rglob("*-rewritten-*.parquet"))) == 1


def test_a_lost_lease_writes_nothing(lake: Lake, tmp_path: Path) -> None:
    lake.write({1: _rows(1), 2: _rows(2)})
    before = lake.table.metadata_location
    prepared = _prepared(lake, {1: _rows(3)})
    with pytest.raises(LeaseLostError, match="nothing was written"):
        commit(prepared, lambda: False)
    assert lake.table.metadata_location == before
    assert list(tmp_path.rglob("*-rewritten-*.parquet")) == []


def test_a_lost_lease_makes_no_table(lake: Lake) -> None:
    with pytest.raises(LeaseLostError):
        commit(_prepared(lake, {1: _rows(1)}), lambda: False)
    assert not lake.catalog.table_exists(IDENTIFIER)


def test_a_lease_lost_while_others_were_faster_stops_the_retries(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    prepared = _prepared(lake, {2: _rows(2)})
    answers = iter([True, False])
    slower = Steps(
        lease_checked=lambda: lake.table.append(lake.table.scan().to_arrow().slice(0, 0))
    )
    with pytest.raises(LeaseLostError):
        commit(prepared, lambda: next(answers), slower)
    assert lake.column("id") == [1]


def test_an_adopted_table_with_the_clients_retries_on_asks_for_the_lease_too(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    lake.table.transaction().set_properties({"commit.retry.num-retries": "4"}).commit_transaction()
    answers = iter([True, False])
    slower = Steps(
        lease_checked=lambda: lake.table.append(lake.table.scan().to_arrow().slice(0, 0))
    )
    with pytest.raises(LeaseLostError):
        commit(_prepared(lake, {2: _rows(2)}), lambda: next(answers), slower)
    assert lake.column("id") == [1]


def test_two_that_create_one_table_make_one(lake: Lake, new_catalog: NewCatalog) -> None:
    other = Lake(new_catalog())
    ours, theirs = _prepared(lake, {1: _rows(1)}), _prepared(other, {2: _rows(2)})
    faster = Steps(lease_checked=lambda: commit(theirs, lambda: True) and None)
    with pytest.raises(CommitConflictError, match="nothing of batch"):
        commit(ours, lambda: True, faster)
    assert lake.column("id") == [2]


def test_a_table_dropped_right_before_the_commit_is_a_conflict(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    dropped = Steps(lease_checked=lambda: lake.catalog.drop_table(IDENTIFIER))
    with pytest.raises(CommitConflictError):
        commit(_prepared(lake, {2: _rows(2)}), lambda: True, dropped)
    assert not lake.catalog.table_exists(IDENTIFIER)


def test_others_that_are_always_faster_end_the_tries_with_a_conflict(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racing, "TRIES", 3)
    lake.write({1: _rows(1)})
    faster = Steps(
        lease_checked=lambda: lake.table.append(lake.table.scan().to_arrow().slice(0, 0))
    )
    with pytest.raises(CommitConflictError):
        commit(_prepared(lake, {2: _rows(2)}), lambda: True, faster)
    assert lake.column("id") == [1]


class LosesTheAnswer(SqlCatalog):
    """A catalog whose next commit succeeds, or is never sent, and whose answer does not arrive."""

    lost: bool = False
    is_sent: bool = True

    def commit_table(self, table: Table, *arguments: Any) -> CommitTableResponse:
        if not self.lost:
            return super().commit_table(table, *arguments)
        self.lost = False
        if self.is_sent:
            super().commit_table(table, *arguments)
        raise OperationalError("COMMIT", {}, Exception("server closed the connection"))


@pytest.mark.parametrize("is_sent", [True, False])
@pytest.mark.parametrize("is_creation", [True, False])
def test_a_lost_answer_is_an_error_of_its_own_and_the_fence_finds_out(
    new_catalog: NewCatalog, is_sent: bool, is_creation: bool
) -> None:
    catalog = new_catalog(LosesTheAnswer)
    assert isinstance(catalog, LosesTheAnswer)
    lake = Lake(catalog)
    if not is_creation:
        lake.write({9: _rows(9)})
    prepared = _prepared(lake, {1: _rows(1)})
    catalog.lost, catalog.is_sent = True, is_sent
    with pytest.raises(CommitUnknownError, match="server closed the connection"):
        commit(prepared, lambda: True)
    found = fence(new_catalog(), IDENTIFIER, prepared.batch_id)
    assert (found is not None) == is_sent
    if is_sent:
        assert found == lake.table.metadata.current_snapshot_id
    assert (IDENTIFIER in [".".join(name) for name in catalog.list_tables("raw")]) == (
        is_sent or not is_creation
    )
    if is_sent or not is_creation:
        assert lake.column("id") == [1] * is_sent + [9] * (not is_creation)


class SendsTwice(SqlCatalog):
    """A catalog whose client sends a commit again, as the AWS one does."""

    twice = False

    def commit_table(self, table: Table, *arguments: Any) -> CommitTableResponse:
        if self.twice:
            self.twice = False
            super().commit_table(table, *arguments)
        return super().commit_table(table, *arguments)


@pytest.mark.parametrize("is_creation", [True, False])
def test_a_commit_that_is_refused_by_its_own_first_sending_is_in_the_table(
    new_catalog: NewCatalog, is_creation: bool
) -> None:
    catalog = new_catalog(SendsTwice)
    assert isinstance(catalog, SendsTwice)
    lake = Lake(catalog)
    if not is_creation:
        lake.write({1: _rows(0), 2: _rows(2)})
    prepared = _prepared(lake, {1: _rows(1)})
    catalog.twice = True
    committed = commit(prepared, lambda: True)
    assert committed.snapshot_id == lake.table.metadata.current_snapshot_id
    assert _batch_ids(lake.table).count(prepared.batch_id) == 1
    assert lake.column("id") == [1] + [2] * (not is_creation)


def test_a_fence_that_is_refused_by_its_own_first_sending_holds(new_catalog: NewCatalog) -> None:
    catalog = new_catalog(SendsTwice)
    assert isinstance(catalog, SendsTwice)
    lake = Lake(catalog)
    lake.write({1: _rows(1)})
    catalog.twice = True
    assert fence(catalog, IDENTIFIER, "b") is None
    assert lake.column("id") == [1]


def test_a_commit_that_lost_a_race_leaves_no_manifests(lake: Lake, tmp_path: Path) -> None:
    lake.write({1: _rows(1)})
    prepared = _prepared(lake, {2: _rows(2)})
    before = set(tmp_path.rglob("*.avro"))
    answers = iter([True, False])
    sleeps = Steps(lease_checked=lambda: fence(lake.catalog, IDENTIFIER, "other") and None)
    with pytest.raises(LeaseLostError):
        commit(prepared, lambda: next(answers), sleeps)
    fences = {path.name for path in set(tmp_path.rglob("*.avro")) - before}
    snapshot = lake.table.current_snapshot()
    assert snapshot is not None
    assert Path(snapshot.manifest_list).name in fences
    assert len(fences) == 1 + 2  # of the lease's try, which never was sent


def test_a_fence_stops_a_worker_that_slept_before_its_commit(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    prepared = _prepared(lake, {2: _rows(2)})
    answers = iter([True, False])  # the lease is gone when the worker asks again
    sleeps = Steps(
        lease_checked=lambda: fence(lake.catalog, IDENTIFIER, prepared.batch_id) and None
    )
    with pytest.raises(LeaseLostError):
        commit(prepared, lambda: next(answers), sleeps)
    assert lake.column("id") == [1]
    snapshot = lake.table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert snapshot.summary.additional_properties["ingest.fence"] == prepared.batch_id
    assert snapshot.summary.additional_properties["total-records"] == "1"


def test_a_fence_stops_the_worker_on_an_adopted_table_too(lake: Lake) -> None:
    """The table's own word for retries, which the client obeys, is of no account."""
    lake.write({1: _rows(1)})
    lake.table.transaction().remove_properties("commit.retry.num-retries").commit_transaction()
    prepared = _prepared(lake, {2: _rows(2)})
    answers = iter([True, False])
    sleeps = Steps(
        lease_checked=lambda: fence(lake.catalog, IDENTIFIER, prepared.batch_id) and None
    )
    with pytest.raises(LeaseLostError):
        commit(prepared, lambda: next(answers), sleeps)
    assert lake.column("id") == [1]


def test_a_batch_that_comes_in_while_the_fence_is_set_is_found(
    new_catalog: NewCatalog,
) -> None:
    class Races(SqlCatalog):
        before: Callable[[], Any] | None = None

        def commit_table(self, table: Table, *arguments: Any) -> CommitTableResponse:
            run, self.before = self.before, None
            if run is not None:
                run()
            return super().commit_table(table, *arguments)

    catalog = new_catalog(Races)
    assert isinstance(catalog, Races)
    lake = Lake(new_catalog())
    lake.write({1: _rows(1)})
    lake.table.transaction().remove_properties("commit.retry.num-retries").commit_transaction()
    prepared = _prepared(lake, {2: _rows(2)})
    catalog.before = lambda: commit(prepared, lambda: True)
    found = fence(catalog, IDENTIFIER, prepared.batch_id)
    assert found == lake.table.metadata.current_snapshot_id
    assert _batch_ids(lake.table)[-1] == prepared.batch_id


def test_a_fence_on_a_table_that_is_not_there_finds_nothing(lake: Lake) -> None:
    assert fence(lake.catalog, IDENTIFIER, "b") is None
    assert fence(lake.catalog, "nowhere.orders", "b") is None
    assert batches_of(lake.catalog, IDENTIFIER) == TableBatches()


def test_a_batch_behind_many_others_is_found_without_a_fence(lake: Lake) -> None:
    prepared = _prepared(lake, {1: _rows(1)})
    committed = commit(prepared, lambda: True)
    lake.write({2: _rows(2)})
    lake.write({3: _rows(3)})
    before = lake.table.metadata_location
    assert fence(lake.catalog, IDENTIFIER, prepared.batch_id) == committed.snapshot_id
    assert lake.table.metadata_location == before


def test_a_batch_that_a_rollback_took_out_counts_as_abandoned(lake: Lake) -> None:
    first = lake.write({1: _rows(1)})
    prepared = _prepared(lake, {2: _rows(2)})
    commit(prepared, lambda: True)
    assert batches_of(lake.catalog, IDENTIFIER).abandoned == ()
    assert first.snapshot_id is not None
    lake.table.manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    assert batches_of(lake.catalog, IDENTIFIER).abandoned == (prepared.batch_id,)
    assert fence(lake.catalog, IDENTIFIER, prepared.batch_id) is None
    assert batches_of(lake.catalog, IDENTIFIER).abandoned == (prepared.batch_id,)
    lake.write({2: _rows(2)})
    assert lake.column("id") == [1, 2]


def test_a_rollback_to_before_everything_abandons_all(lake: Lake) -> None:
    first = _prepared(lake, {1: _rows(1)})
    commit(first, lambda: True)
    lake.write({1: _rows(2)})
    second = _batch_ids(lake.table)[-1] or ""
    snapshot_id = lake.table.snapshots()[0].snapshot_id
    lake.table.manage_snapshots().set_current_snapshot(snapshot_id=snapshot_id).commit()
    assert batches_of(lake.catalog, IDENTIFIER) == TableBatches((first.batch_id,), (second,))
    assert lake.column("id") == [1]


def test_a_catalog_that_is_down_before_the_commit_is_a_catalog_error(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    prepared = _prepared(lake, {2: _rows(2)})
    assert isinstance(lake.catalog, SqlCatalog)
    lake.catalog.engine.dispose()
    lake.catalog.engine = _dead_engine()
    with pytest.raises(CatalogError, match="the table is unchanged"):
        commit(prepared, lambda: True)
    with pytest.raises(CatalogError):
        fence(lake.catalog, IDENTIFIER, "b")


def _dead_engine() -> Any:
    from sqlalchemy import create_engine

    return create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")


def test_a_stale_transaction_fails_on_a_fence_by_its_base_alone(lake: Lake) -> None:
    lake.write({1: _rows(1)})
    rows = lake.table.scan().to_arrow()
    stale = without_client_retries(lake.table).transaction()
    stale.append(rows)
    fence(lake.catalog, IDENTIFIER, "b")
    with pytest.raises(Exception, match="branch main has changed"):
        stale.commit_transaction()


def _write_twenty(properties: dict[str, str], first_file: int, wanted: Any) -> None:
    catalog = SqlCatalog("lake", **properties)
    lake = Lake(catalog)
    for file_id in range(first_file, first_file + 20):
        shared = 1000 + file_id % 5  # both writers replace these again and again
        lake.write({file_id: _rows(file_id), shared: _rows(shared)}, wanted)
    catalog.close()


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [layout(), layout("bucket(3, id)", sort_by=["id"])])
def test_two_processes_commit_twenty_batches_each_and_every_row_is_there_once(
    lake: Lake, catalog_properties: dict[str, str], wanted: Any
) -> None:
    lake.write({0: _rows(0)}, wanted)
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_write_twenty, args=(catalog_properties, first, wanted))
        for first in (1, 101)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
    assert [worker.exitcode for worker in workers] == [0, 0]
    expected = [0, *range(1, 21), *range(101, 121), *range(1000, 1005)]
    assert lake.column("id") == expected
    ids = [batch_id for batch_id in _batch_ids(lake.table) if batch_id]
    assert len(ids) == len(set(ids)) == 41


def test_the_commit_holds_with_the_warehouse_in_s3(s3_lake: Lake) -> None:
    s3_lake.write({1: _rows(1), 2: _rows(2)}, layout("id"))
    prepared = _prepared(s3_lake, {1: _rows(3)})
    slower = Steps(loaded=_once(lambda: fence(s3_lake.catalog, IDENTIFIER, "other")))
    committed = commit(prepared, lambda: True, slower)
    assert committed.removed_rows == 1
    assert s3_lake.column("id") == [2, 3]


def _once(action: Callable[[], Any]) -> Callable[[], None]:
    waiting = [action]

    def act() -> None:
        if waiting:
            waiting.pop()()

    return act

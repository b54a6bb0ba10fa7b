"""Who holds a batch, and when somebody else may take it over."""

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from ingest_assets.ledger import leases
from ingest_assets.ledger.batches import ClaimedBatch, claim
from ingest_assets.ledger.leases import Holder, is_known_dead
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

_WORKER = """
import sys
from ingest_assets.ledger.leases import Holder
print(Holder.this_process().as_json(), flush=True)
sys.stdin.readline()
"""


@contextlib.contextmanager
def _worker() -> Iterator[tuple[Holder, "subprocess.Popen[str]"]]:
    """Another process, and the holder that it says it is."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            yield Holder(**json.loads(process.stdout.readline())), process
        finally:
            process.kill()


def _claimed_by(orders: Bookkeeping, holder: Holder) -> ClaimedBatch:
    orders.see(source_file("a"))
    planned = orders.plan()
    assert planned is not None
    with orders.ledger.transaction() as connection:
        claimed = claim(connection, planned.batch_id, holder, "run")
    assert claimed is not None
    return claimed


def _take_over(orders: Bookkeeping) -> list[str]:
    with orders.ledger.transaction() as connection:
        return leases.take_over_lapsed(connection, orders.ingestion, orders.holder)


def _renew(orders: Bookkeeping, batch_id: str, token: str) -> bool:
    with orders.ledger.transaction() as connection:
        return leases.renew(connection, batch_id, token)


def _seconds_left(orders: Bookkeeping, batch_id: str) -> float:
    (row,) = orders.ask(
        """
        SELECT extract(epoch FROM lease_expires_at - now()) AS seconds FROM ingest.batches
        WHERE batch_id = :batch_id
        """,
        batch_id=batch_id,
    )
    return float(row.seconds)


def _let_lease_expire(orders: Bookkeeping, batch: ClaimedBatch) -> None:
    with orders.ledger.transaction() as connection:
        leases.expire(connection, batch.batch_id, batch.token, "given up")


def test_a_lease_runs_for_a_minute_and_is_renewed_by_its_holder_alone(orders: Bookkeeping) -> None:
    batch = _claimed_by(orders, orders.holder)
    assert 50 < _seconds_left(orders, batch.batch_id) <= 60
    orders.ask(
        """
        UPDATE ingest.batches SET lease_expires_at = now() + interval '5 seconds'
        WHERE batch_id = :batch_id RETURNING 1
        """,
        batch_id=batch.batch_id,
    )
    assert not _renew(orders, batch.batch_id, "somebody else")
    assert not _renew(orders, "another batch", batch.token)
    assert _seconds_left(orders, batch.batch_id) < 6
    assert _renew(orders, batch.batch_id, batch.token)
    assert _seconds_left(orders, batch.batch_id) > 50


def test_a_living_worker_keeps_its_batch(orders: Bookkeeping) -> None:
    with _worker() as (holder, _):
        batch = _claimed_by(orders, holder)
        assert _take_over(orders) == []
        assert _renew(orders, batch.batch_id, holder.token)


def test_a_killed_worker_loses_its_batch_at_once(orders: Bookkeeping) -> None:
    with _worker() as (holder, process):
        batch = _claimed_by(orders, holder)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _take_over(orders) == [batch.batch_id]
    assert not _renew(orders, batch.batch_id, holder.token)
    assert _renew(orders, batch.batch_id, orders.holder.token)
    assert _take_over(orders) == []


def test_a_killed_worker_that_nobody_waited_for_is_dead(orders: Bookkeeping) -> None:
    with _worker() as (holder, process):
        batch = _claimed_by(orders, holder)
        process.send_signal(signal.SIGKILL)
        zombie = psutil.Process(process.pid)
        while zombie.status() != psutil.STATUS_ZOMBIE:
            pass
        assert _take_over(orders) == [batch.batch_id]


def test_a_living_worker_whose_lease_ran_out_loses_its_batch(orders: Bookkeeping) -> None:
    with _worker() as (holder, _):
        batch = _claimed_by(orders, holder)
        _let_lease_expire(orders, batch)
        assert _renew(orders, batch.batch_id, holder.token), "nobody had taken it yet"
        _let_lease_expire(orders, batch)
        assert _take_over(orders) == [batch.batch_id]
        assert not _renew(orders, batch.batch_id, holder.token)
        assert not orders.finish(batch)
        assert not orders.release(batch, crashed=True)
    assert orders.file("a").status == "PROCESSING"
    taken = dataclasses.replace(batch, token=orders.holder.token)
    assert orders.release(taken, crashed=True)
    assert orders.file("a").status == "DISCOVERED"


def test_a_worker_that_lost_its_batch_cannot_give_it_up(orders: Bookkeeping) -> None:
    batch = _claimed_by(orders, dataclasses.replace(orders.holder, token="former"))
    _let_lease_expire(orders, batch)
    assert _take_over(orders) == [batch.batch_id]
    _let_lease_expire(orders, batch)
    assert _seconds_left(orders, batch.batch_id) > 50


def test_batches_are_taken_over_oldest_first_by_one_recoverer(orders: Bookkeeping) -> None:
    batches = []
    for key in "abc":
        orders.see(source_file(key))
        batches.append(orders.work())
        _let_lease_expire(orders, batches[-1])
    other = Holder.this_process()
    with orders.ledger.transaction() as first, orders.ledger.transaction() as second:
        taken = leases.take_over_lapsed(first, orders.ingestion, orders.holder)
        left = leases.take_over_lapsed(second, orders.ingestion, other)
    assert taken == [batch.batch_id for batch in batches]
    assert left == []


def test_the_batches_of_another_ingestion_are_left_alone(orders: Bookkeeping) -> None:
    _let_lease_expire(orders, _claimed_by(orders, orders.holder))
    with orders.ledger.transaction() as connection:
        assert leases.take_over_lapsed(connection, "somebody_elses", orders.holder) == []


@pytest.mark.parametrize("difference", [{"host": "elsewhere"}, {"boot": "another machine's"}])
def test_a_worker_that_may_run_elsewhere_is_not_known_dead(difference: dict[str, str]) -> None:
    with _worker() as (holder, process):
        process.kill()
        process.wait()
    gone = dataclasses.asdict(holder)
    assert is_known_dead(gone)
    assert not is_known_dead({**gone, **difference})


def test_a_pid_that_belongs_to_another_process_by_now_is_a_dead_worker() -> None:
    mine = dataclasses.asdict(Holder.this_process())
    assert not is_known_dead(mine)
    assert is_known_dead({**mine, "started": mine["started"] - 1000})


@pytest.mark.parametrize(
    ("since", "snapshot_id", "is_taken_up"),
    [(True, 8, False), (True, None, True), (False, None, True)],
    ids=["replaced since", "read since without a table", "nothing since"],
)
def test_a_released_batch_that_landed_is_finished_unless_another_replaced_its_rows(
    orders: Bookkeeping, since: bool, snapshot_id: int | None, is_taken_up: bool
) -> None:
    orders.see(source_file("a"), source_file("b"))
    slept = orders.work()
    orders.release(slept, crashed=True)
    if since:
        orders.finish(orders.work(), snapshot_id=snapshot_id)
    with orders.ledger.transaction() as connection:
        taken = leases.take_up_strays(connection, orders.ingestion, [slept.batch_id], orders.holder)
    assert taken == ([slept.batch_id] if is_taken_up else [])

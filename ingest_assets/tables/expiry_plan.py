"""Which snapshots of a table may go: none that recovery, a rollback or anybody's tag needs.

The snapshots that are kept of `main` are the newest without a gap. So a walk back from the present
one ends where they end, and what `main_branch.table_batches` says of them holds.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Snapshot, ancestors_of

from ingest_assets.tables.deleted_keys import BRANCH as DELETED_KEYS
from ingest_assets.tables.main_branch import batch_of

NeededBatches = Callable[[Collection[str], Collection[str]], frozenset[str]]
"""Of the batches in `main`, and of those outside of it, whose snapshots have still to be found."""

CLOCKS = timedelta(minutes=10)
"""By so much the clocks of two machines may differ."""


@dataclass(frozen=True)
class Retention:
    """How much of a table's history stays: so many snapshots, and all that are so young.

    `unsettled_since` is when the oldest batch was planned that has not come to its end.
    """

    keep_snapshots: int
    age: timedelta
    unsettled_since: datetime | None = None

    def cutoff(self, now: datetime) -> datetime:
        """Younger snapshots stay."""
        limits = [now - self.age]
        if self.unsettled_since is not None:
            limits.append(self.unsettled_since - CLOCKS)
        return min(limits)


def expired(
    table: Table, retention: Retention, now: datetime, needed: NeededBatches
) -> tuple[Snapshot, ...]:
    """The snapshots that go, oldest first.

    Tags keep theirs, and branches beside `main` all that they do not have in common with it; but of
    the deleted keys only the newest is ever read.
    """
    metadata = table.metadata
    main = list(ancestors_of(table.current_snapshot(), metadata))
    cutoff = retention.cutoff(now)
    kept = _held_by_others(metadata, {snapshot.snapshot_id for snapshot in main})
    candidates = [
        snapshot
        for position, snapshot in enumerate(main)
        if position >= max(retention.keep_snapshots, 1) and _moment(snapshot) < cutoff
    ]
    in_main = {snapshot.snapshot_id for snapshot in main}
    candidates += [
        snapshot
        for snapshot in metadata.snapshots
        if snapshot.snapshot_id not in in_main | kept and _moment(snapshot) < cutoff
    ]
    batches = {one.snapshot_id: batch_of(one) for one in candidates}
    named = {id_: batch for id_, batch in batches.items() if batch is not None}
    open_batches = needed(
        [batch for id_, batch in named.items() if id_ in in_main],
        [batch for id_, batch in named.items() if id_ not in in_main],
    )
    going = {snapshot_id for snapshot_id, batch in batches.items() if batch not in open_batches}
    whole = _without_gap(main, going)
    return tuple(
        sorted(
            (one for one in candidates if one.snapshot_id in ((going - in_main) | whole) - kept),
            key=lambda one: (one.sequence_number or 0, one.timestamp_ms),
        )
    )


def _without_gap(main: list[Snapshot], going: set[int]) -> set[int]:
    """The oldest of `main`, up to the first that stays."""
    oldest = set[int]()
    for snapshot in reversed(main):
        if snapshot.snapshot_id not in going:
            break
        oldest.add(snapshot.snapshot_id)
    return oldest


def _held_by_others(metadata: TableMetadata, in_main: set[int]) -> set[int]:
    held = set[int]()
    for name, ref in metadata.refs.items():
        head = metadata.snapshot_by_id(ref.snapshot_id)
        if name == MAIN_BRANCH or head is None:
            continue
        held.add(head.snapshot_id)
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH and name != DELETED_KEYS:
            for snapshot in ancestors_of(head, metadata):
                if snapshot.snapshot_id in in_main:
                    break
                held.add(snapshot.snapshot_id)
    return held


def _moment(snapshot: Snapshot) -> datetime:
    return datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)


def sequence_numbers(table: Table, snapshots: Collection[Snapshot]) -> dict[str, int]:
    """Of the batches among these snapshots that are in `main`: where each stands in its history."""
    main = {one.snapshot_id for one in ancestors_of(table.current_snapshot(), table.metadata)}
    found = {}
    for snapshot in snapshots:
        batch = batch_of(snapshot)
        if batch is not None and snapshot.snapshot_id in main:
            found[batch] = snapshot.sequence_number or 0
    return found

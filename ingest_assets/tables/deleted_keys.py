"""Keys that were deleted, and when: what an older row that comes later is held against.

They are rows of the table on a branch of its own, which no reader sees who does not ask for it. So
they are in the very commit in which the rows of these keys leave `main`, and each change of the
branch goes with a snapshot of `main`, on which that commit depends. Only the columns of the key, of
its order and of the lineage have values.
"""

from collections import defaultdict

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.typedef import Record

from ingest_assets.tables.exchange import Exchange, Workplace
from ingest_assets.tables.live_rows import live_rows

BRANCH = "deleted_keys"
_PROPERTY = "ingest.deletions-of"
_SMALL_BYTES = 8 * 1024**2
_MANY_FILES = 16
"""So many small data files of one partition become one, with the next deletion."""


def deletions_at(table: Table) -> int | None:
    """The snapshot that has the deletions; None where nothing was ever deleted."""
    reference = table.metadata.refs.get(BRANCH)
    return None if reference is None else reference.snapshot_id


def gather_small(table: Table, exchange: Exchange, workplace: Workplace) -> None:
    """Deletions that lie in many small data files are in few: part of the exchange."""
    snapshot_id = deletions_at(table)
    if snapshot_id is None:
        return
    by_partition = defaultdict[Record, list[DataFile]](list)
    tasks = {task.file: task for task in table.scan(snapshot_id=snapshot_id).plan_files()}
    for file in tasks:
        if file.file_size_in_bytes < _SMALL_BYTES:
            by_partition[file.partition].append(file)
    many = [f for files in by_partition.values() if len(files) >= _MANY_FILES for f in files]
    if not many:
        return
    writer = workplace.writer()
    for file in many:
        for rows in live_rows(table, tasks[file], workplace.target.metadata.schema()):
            writer.write(rows)
    exchange.old_deletions += many
    exchange.deletions += writer.finish()


def stage_deletions(transaction: Transaction, exchange: Exchange, batch_id: str) -> None:
    """The deletions are part of the transaction, which has a snapshot of `main` already."""
    if not exchange.deletions:
        return
    update = transaction.update_snapshot({_PROPERTY: batch_id}, branch=BRANCH)
    producer = update.overwrite() if exchange.old_deletions else update.merge_append()
    for file in exchange.old_deletions:
        producer.delete_data_file(file)
    for file in exchange.deletions:
        producer.append_data_file(file)
    producer.commit()

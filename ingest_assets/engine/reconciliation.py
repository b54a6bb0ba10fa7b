"""Reconciliation: ledger, tables, bucket and Dagster compared, while the ingestion goes on.

First everything but the ledger is read: each table at one snapshot, the listing, the partitions.
Then the ledger, and files that a batch waits for or holds, or that anything has written to since
the beginning, are left out: whatever came or went in between is about one of those. So nothing is
reported that only happened meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from ingest_assets.deployment import Deployment
from ingest_assets.engine.batch_comparison import compare_batches
from ingest_assets.engine.bucket_comparison import (
    ListedObjects,
    compare_news,
    compare_object,
    has_object,
    list_objects,
)
from ingest_assets.engine.compared_tables import ComparedTables, compared_tables
from ingest_assets.engine.disagreement import Disagreement, Kind
from ingest_assets.engine.file_comparison import FoundRows, Surroundings, compare
from ingest_assets.engine.partition_comparison import (
    PartitionStates,
    compare_partition,
    unknown_partition,
)
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import applied_declaration, recorded
from ingest_assets.ledger.recorded import RecordedFile


@dataclass
class Reconciliation:
    """What was compared since `since`, by Postgres's clock, and what did not agree.

    `rows` are those of the tables that the ledger has files for; `unmarked_rows` came from nobody
    here: adopted, or another writer's. `moving` files were not judged. `fresh_objects` are found by
    the next tick; `gone_objects` are those of files that are SUCCESS.
    """

    ingestion: Ingestion
    since: datetime
    disagreements: list[Disagreement] = field(default_factory=list)
    files: int = 0
    rows: int = 0
    moving: int = 0
    unmarked_rows: int = 0
    objects: int | None = None
    fresh_objects: int = 0
    gone_objects: int = 0


def reconcile(
    deployment: Deployment,
    ingestion: Ingestion,
    *,
    with_bucket: bool,
    partitions: Callable[[], PartitionStates],
) -> Reconciliation:
    """Every disagreement there is; nothing was changed.

    Raises:
        ObjectStoreError, CatalogError, LedgerError: a service is out of reach.
    """
    with deployment.ledger.transaction() as connection:
        done = Reconciliation(ingestion, recorded.now(connection))
    with ExitStack() as stack:
        tables = compared_tables(deployment, ingestion, stack)
        listed = list_objects(deployment, ingestion) if with_bucket else None
        states = partitions()
        done.disagreements += tables.disagreements
        done.disagreements += compare_batches(deployment, ingestion, tables)
        done.unmarked_rows = tables.unmarked_rows
        _compare_files(deployment, done, tables, listed, states)
    if listed is not None:
        news = compare_news(deployment, ingestion, listed, done.since)
        done.disagreements += news.disagreements
        done.objects, done.fresh_objects = listed.count, news.fresh
    return done


def _compare_files(
    deployment: Deployment,
    done: Reconciliation,
    tables: ComparedTables,
    listed: ListedObjects | None,
    states: PartitionStates,
) -> None:
    around = Surroundings(
        tables.main,
        tables.rejected,
        on_changed_file=done.ingestion.source.on_changed_file,
        abandoned=tables.abandoned,
        overtakes=_overtakes(deployment, done.ingestion),
    )
    overtaken = replace(around, overtakes=True)
    unknown, strange_keys = list[FoundRows](), set(states.green)
    with deployment.ledger.transaction() as connection:
        files = recorded.files(connection, done.ingestion.name, done.since)
        for file, found in _joined(files, tables.found_rows()):
            if file is None:
                unknown += found
                continue
            done.files += 1
            done.rows += sum(part.rows.rows for part in found if not part.is_rejected)
            strange_keys.discard(partition_key_of(file.key))
            if file.is_moving:
                done.moving += 1
                continue
            is_there = None if listed is None else has_object(file, listed)
            its = overtaken if file.is_of_other_mode else around
            done.disagreements += compare(file, found, its, is_there=is_there)
            done.disagreements += compare_partition(file, states)
            if listed is not None:
                done.disagreements += compare_object(file, listed, done.since)
                done.gone_objects += file.status == "SUCCESS" and not is_there
    done.disagreements += map(unknown_partition, sorted(strange_keys))
    done.disagreements += _of_unknown_files(deployment, tables, unknown)


def _overtakes(deployment: Deployment, ingestion: Ingestion) -> bool:
    """By the declaration, or as it was last applied, rows of a file leave when others come."""
    with deployment.ledger.transaction() as connection:
        applied = applied_declaration.applied(connection, ingestion.name) or {}
    modes = {ingestion.table.write_mode, applied.get("table", {}).get("write_mode", "append")}
    return modes != {"append"}


def _joined(
    files: Iterator[RecordedFile], found: Iterator[FoundRows]
) -> Iterator[tuple[RecordedFile | None, list[FoundRows]]]:
    """Each file with its rows, and rows without a file; both come by the ids of the files."""
    groups = groupby(found, key=_file_id)
    group = next(groups, None)
    for file in files:
        rows = list[FoundRows]()
        while group is not None and group[0] <= file.file_id:
            if group[0] == file.file_id:
                rows = list(group[1])
            else:
                yield None, list(group[1])
            group = next(groups, None)
        yield file, rows
    while group is not None:
        yield None, list(group[1])
        group = next(groups, None)


def _file_id(found: FoundRows) -> int:
    return found.rows.file_id


def _of_unknown_files(
    deployment: Deployment, tables: ComparedTables, found: Sequence[FoundRows]
) -> Iterator[Disagreement]:
    """Rows whose `_file_id` is not one of this ingestion's."""
    with deployment.ledger.transaction() as connection:
        owners = recorded.owners(connection, [part.rows.file_id for part in found])
    for part in found:
        file_id, name = part.rows.file_id, tables.name_of(part)
        owner = owners.get(file_id)
        whose = f"a file of the ingestion {owner}" if owner else "no file of the ledger"
        cause = (
            f"{name} has {part.rows.rows} rows with _file_id {file_id}, {whose}; another writer "
            "put them there, or the ledger is older than the table. Look at their _source_file "
            "before you delete them"
        )
        yield Disagreement(Kind.UNKNOWN_FILE, cause, None, file_id=file_id, table=part.route)

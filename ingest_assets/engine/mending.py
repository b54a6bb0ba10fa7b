"""What can be mended safely is: by recovery, by a listing, and by reading files again."""

from collections import defaultdict
from collections.abc import Iterator

from ingest_assets.deployment import Deployment
from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.engine.discovery import discover
from ingest_assets.engine.reconciliation import Reconciliation
from ingest_assets.engine.recovery import recover
from ingest_assets.ledger import mending, recorded
from ingest_assets.ledger.mending import Mend

FILES_AT_ONCE = 1000
"""So many files are mended in one transaction, and named in one line of the audit."""
_BY_LEDGER = (Remedy.READ_AGAIN, Remedy.FORGET)


def mend(deployment: Deployment, found: Reconciliation, actor: str) -> list[Disagreement]:
    """The disagreements that were mended; a file that was touched meanwhile is left to its batch.

    No row is deleted: reading a file again replaces its rows in one commit. An ingestion that never
    ticked has its row in the ledger from now on, as after its first tick.

    Raises:
        TableOwnershipError: another ingestion has the table; nothing was mended.
        IngestError: a service is out of reach; what was mended before stays so.
    """
    deployment.ledger.register(found.ingestion.name, found.ingestion.table.identifier)
    by_remedy = defaultdict[Remedy | None, list[Disagreement]](list)
    for disagreement in found.disagreements:
        by_remedy[disagreement.remedy].append(disagreement)
    mended = list[Disagreement]()
    for remedy, work in ((Remedy.RECOVER, recover), (Remedy.DISCOVER, discover)):
        if by_remedy[remedy]:
            work(deployment, found.ingestion)
            done = _mended_since(deployment, found, by_remedy[remedy])
            note(deployment, found, done, actor)
            mended += done
    of_files = [d for remedy in _BY_LEDGER for d in by_remedy[remedy]]
    file_ids = _mend_files(deployment, found, of_files, actor)
    return [*mended, *(d for d in of_files if d.file_id in file_ids)]


def _mended_since(
    deployment: Deployment, found: Reconciliation, wrong: list[Disagreement]
) -> list[Disagreement]:
    """Those that recovery or the listing has mended; a batch may have had the file meanwhile."""
    name, mended = found.ingestion.name, list[Disagreement]()
    for start in range(0, len(wrong), FILES_AT_ONCE):
        part = wrong[start : start + FILES_AT_ONCE]
        with deployment.ledger.transaction() as connection:
            files = recorded.known_objects(connection, name, [d.key for d in part if d.key])
            statuses = recorded.batch_statuses(connection, [d.batch_id for d in part if d.batch_id])
            lapsed = recorded.lapsed_batches(connection, name)
        for one in part:
            file = files.get(one.key or "")
            batch_id = one.batch_id or ""
            if one.kind is Kind.BATCH_LAPSED:
                is_left = batch_id in lapsed
            elif one.kind is Kind.BATCH_RELEASED:
                is_left = statuses.get(batch_id) == "RELEASED"
            elif one.kind is Kind.ROLLED_BACK:
                is_left = file is not None and file.committed_batch_id == batch_id
            else:
                is_left = file is None or file.seen_at < found.since
            if not is_left:
                mended.append(one)
    return mended


def _mend_files(
    deployment: Deployment, found: Reconciliation, wrong: list[Disagreement], actor: str
) -> set[int]:
    mends, done = list(_mends(wrong)), set[int]()
    for start in range(0, len(mends), FILES_AT_ONCE):
        part = mends[start : start + FILES_AT_ONCE]
        with deployment.ledger.transaction() as connection:
            done |= mending.mend(connection, found.ingestion.name, part, found.since, actor)
    return done


def _mends(wrong: list[Disagreement]) -> Iterator[Mend]:
    """One a file, whatever is wrong with it."""
    by_file = defaultdict[int, list[Disagreement]](list)
    for disagreement in wrong:
        if disagreement.file_id is not None:
            by_file[disagreement.file_id].append(disagreement)
    for file_id, all_of in by_file.items():
        kinds = tuple(d.kind for d in all_of)
        yield Mend(
            file_id,
            reads=any(d.remedy is Remedy.READ_AGAIN for d in all_of),
            is_lost=Kind.ROWS_MISSING in kinds,
            lost_contents=tuple(
                d.content_id
                for d in all_of
                if d.kind is Kind.KEPT_ROWS_MISSING and d.content_id is not None
            ),
            also_in=tuple(
                d.table for d in all_of if d.kind is Kind.TWO_TABLES and d.table is not None
            ),
            kinds=kinds,
        )


def note(
    deployment: Deployment, found: Reconciliation, wrong: list[Disagreement], actor: str
) -> None:
    """The audit says who had these mended."""
    for start in range(0, len(wrong), FILES_AT_ONCE):
        part = wrong[start : start + FILES_AT_ONCE]
        with deployment.ledger.transaction() as connection:
            mending.note_mended(
                connection,
                found.ingestion.name,
                actor,
                {d.key or d.batch_id or "": [d.kind] for d in part},
            )

"""Files that come too late to overwrite anything: newer ones were written, and stand."""

from collections.abc import Sequence
from dataclasses import replace

from ingest_assets.engine.failed_file import failed
from ingest_assets.engine.write_mode import mode_of
from ingest_assets.errors import FinalError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.overwriting import Overwrite, Source
from ingest_assets.tables.target import Target


class OvertakenError(FinalError):
    """The table was overwritten by a newer file, or by one of a later folder, already."""


def refused(
    ingestion: Ingestion, target: Target, files: Sequence[ClaimedFile]
) -> list[FileOutcome]:
    """The outcomes of those files that are older than what the table was last overwritten with.

    They are not read. None where partitions are overwritten: there the newest file of each
    partition stands, and only a file's rows tell which these are.

    Raises:
        CatalogError: the warehouse is out of reach.
    """
    mode = mode_of(ingestion.table)
    if not isinstance(mode, Overwrite) or mode.by_partition or target.base is None:
        return []
    with reachable(target.identifier):
        newest = mode.newest(target.base)
    if newest is None:
        return []
    late = [file for file in files if file.moves_to is None and _order(mode, file) < newest[0]]
    return [
        failed(
            replace(file, committed_content_id=None),  # what it brought is overwritten as well
            _error(mode, file, newest[1], target),
            is_final=True,
            attempts=ingestion.retries.attempts,
        )
        for file in late
    ]


def _order(mode: Overwrite, file: ClaimedFile) -> tuple[object, ...]:
    return mode.order(Source(file.file_id, file.source.uri, file.source.modified_at))


def _error(mode: Overwrite, file: ClaimedFile, newest: Source, target: Target) -> OvertakenError:
    found, written = f"{file.source.modified_at:%Y-%m-%d %H:%M:%S %Z}", newest.modified_at
    than = f"{newest.uri}, which is of {written:%Y-%m-%d %H:%M:%S %Z}," if written else newest.uri
    if mode.by_folder:
        found, than = "an earlier folder", f"the folder of {newest.uri}"
    return OvertakenError(
        f"{file.source.uri} is of {found}; {target.identifier} was overwritten with {than} "
        "already and holds that. Nothing of this file was written. To have it in the table after "
        "all, upload it again under its key, or under that of a later folder, so that it is the "
        "newest."
    )

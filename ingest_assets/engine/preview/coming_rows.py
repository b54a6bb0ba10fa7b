"""What the coming of rows does to those that are there, by the write mode, in plain words."""

from collections.abc import Iterator

from ingest_assets.declaration.table import Table
from ingest_assets.engine.preview.section import counted
from ingest_assets.engine.preview.trial import Trial, TriedFile
from ingest_assets.engine.write_mode import mode_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.quality.description import listed
from ingest_assets.tables.overwriting import Overwrite, Source


def coming(ingestion: Ingestion, trial: Trial) -> Iterator[str]:
    """A sentence or more; none under `append`, where rows come and no others leave."""
    table, there = ingestion.table, trial.opened.target.row_count or 0
    if table.write_mode == "merge":
        yield from _merged(table, there)
    elif table.write_mode == "overwrite":
        mode = mode_of(table)
        assert isinstance(mode, Overwrite)
        yield from _overwritten(table, mode, trial, there)


def _merged(table: Table, there: int) -> Iterator[str]:
    key, order = listed(table.primary_key), table.order_by
    newest = f"the greatest {order}, then the row of the file that arrived last"
    if order is None:
        newest = "the row of the file that arrived last"
    yield f"write_mode is merge: of all rows with one {key} one stays, {newest}."
    yield f"A row with null in {key} is rejected."
    if there:
        yield (
            f"Of the {counted(there, 'row')} that are there, those whose {key} is in these files "
            "are replaced where the row that comes is the newer one; all others stay."
        )
    if table.delete_when is not None:
        values = listed(sorted(table.delete_when.texts), "or")
        yield (
            f"A row whose {table.delete_when.column} is {values} takes its {key} out of the table, "
            "and rows that are older do not bring it back."
        )


def _overwritten(table: Table, mode: Overwrite, trial: Trial, there: int) -> Iterator[str]:
    picture = "folder" if mode.by_folder else "file"
    if mode.by_partition:
        terms = ", ".join(table.partition_by)
        yield (
            f"write_mode is overwrite: each partition of {terms} that these files have rows for "
            f"will have the rows of the newest {picture} for it, and no others."
        )
        if there:
            yield f"Of the {counted(there, 'row')} that are there, those of other partitions stay."
        return
    newest = _newest(mode, trial.tried)
    if newest is None:
        yield f"write_mode is overwrite, and no {picture} has rows: the table stays as it is."
        return
    named = f"{newest.rpartition('/')[0] or '.'}/" if mode.by_folder else newest
    yield (
        f"write_mode is overwrite: the table will have the rows of the newest {picture} and no "
        f"others; of those that were read that is {named}."
    )
    if there:
        yield f"The {counted(there, 'row')} that are there leave, but for those of that {picture}."


def _newest(mode: Overwrite, tried: list[TriedFile]) -> str | None:
    """The key of the file whose rows would stand, or of one of the folder whose rows would."""
    good = [
        file.source
        for file in tried
        if file.outcome is not None and file.outcome.outcome == "SUCCESS" and file.outcome.rows
    ]
    if not good:
        return None
    return max(good, key=lambda f: mode.order(Source(None, f.uri, f.modified_at))).key

"""Earlier contents of a file, which `append` kept, compared with the rows found of them; no I/O."""

from collections.abc import Collection, Iterator, Sequence

from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.ledger.recorded import RecordedFile
from ingest_assets.tables.row_counts import ContentRows


def compare_kept(
    file: RecordedFile,
    found: Sequence[tuple[str, ContentRows]],
    routes: Collection[str],
    *,
    overtakes: bool,
) -> Iterator[Disagreement]:
    """What the tables of these `routes` have of the kept contents and should not, or have not.

    `found` are the rows of the file's contents with the routes of their tables. A content of which
    the ledger does not know how many rows it had is not judged. `overtakes`: rows of other files
    may have taken the place of theirs.
    """
    rows = {(route, part.content_id): part for route, part in found}
    for content_id, kept in file.kept.items():
        if kept.route in routes and kept.rows is not None:
            there = rows.get((kept.route, content_id))
            amiss = _amiss(content_id, kept.rows, there, overtakes=overtakes)
            if amiss is not None:
                yield Disagreement(
                    *amiss, file.key, file.file_id, table=kept.route, content_id=content_id
                )


def _amiss(
    content_id: int, rows: int, there: ContentRows | None, *, overtakes: bool
) -> tuple[Kind, str, Remedy | None] | None:
    whose = f"of an earlier content (`_content_id` {content_id}), which append kept,"
    count = there.rows if there else 0
    if there is not None and there.doubled:
        return (
            Kind.ROWS_DOUBLED,
            f"{there.doubled} of {count} rows {whose} have a row number that is there already; "
            "another writer added them, who has to delete them",
            None,
        )
    if count == rows or (overtakes and count < rows):
        return None
    if not count:
        return (
            Kind.KEPT_ROWS_MISSING,
            f"none of the {rows} rows {whose} is in the table: another writer deleted them, and "
            "nothing can read them again",
            Remedy.FORGET,
        )
    did = "deleted some, which nothing can read again" if count < rows else "added some"
    return (
        Kind.ROW_COUNT,
        f"the table has {count} rows {whose} and the ledger {rows}; another writer {did}. Bring "
        "them back from an older snapshot, or delete all of that content",
        None,
    )

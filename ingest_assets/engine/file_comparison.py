"""One file as the ledger has it, compared with what was found of it elsewhere; no I/O."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest_assets.declaration.source import OnChangedFile
from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.engine.kept_comparison import compare_kept
from ingest_assets.engine.reading_again import (
    READABLE,
    why_not_read,
    why_unwanted,
)
from ingest_assets.ledger.recorded import RecordedFile
from ingest_assets.tables.row_counts import ContentRows
from ingest_assets.tables.table_state import TableState

_WAITING = ("DISCOVERED", "FAILED", "PROCESSING")


@dataclass(frozen=True, slots=True)
class FoundRows:
    """What one table has of one file; `is_rejected` is the table of rejected rows beside it."""

    route: str
    is_rejected: bool
    rows: ContentRows


@dataclass(frozen=True)
class Surroundings:
    """What files are compared against: the tables by route, as far as they can be compared.

    A table of rejected rows that there is not holds none, and is None. `abandoned` are batches
    that a rollback took out of `main`. `on_changed_file` is the declared mode. `overtakes`: in the
    write mode, rows of a file leave when those of others come.
    """

    tables: Mapping[str, TableState]
    rejected: Mapping[str, TableState | None]
    on_changed_file: OnChangedFile = "replace"
    abandoned: frozenset[str] = field(default_factory=frozenset)
    overtakes: bool = False


def compare(
    file: RecordedFile,
    found: Sequence[FoundRows],
    around: Surroundings,
    *,
    is_there: bool | None,
) -> Iterator[Disagreement]:
    """Everything about a file, which is not moving, that its row and its tables do not agree on.

    Rows of contents that the ledger knows in that table are as they should be, whatever the mode.
    `is_there` says whether its object is; None when nobody looked.
    """
    judged = _Judged(file, around, is_there)
    if file.batch_id is not None or file.status == "PROCESSING":
        yield judged.held()
        return
    if file.committed_batch_id in around.abandoned:
        yield judged.rolled_back()
        return
    if file.status == "SUCCESS" and file.committed_content_id is None:
        yield judged.not_recorded()
        return
    kept = {(content_id, content.route) for content_id, content in file.kept.items()}
    beside = [part for part in found if (part.rows.content_id, part.route) in kept]
    found = [part for part in found if (part.rows.content_id, part.route) not in kept]
    in_main = [(part.route, part.rows) for part in beside if not part.is_rejected]
    yield from compare_kept(file, in_main, around.tables, overtakes=around.overtakes)
    main = [part for part in found if not part.is_rejected]
    here = [part.rows for part in main if part.route == file.in_table]
    if file.committed_content_id is None:
        if main and not file.also_in and not around.overtakes:
            yield judged.not_committed(sum(part.rows.rows for part in main), main[0].route)
        return
    if file.in_table in around.tables:
        yield from judged.own_table(here)
    for route in sorted({part.route for part in main} - {file.in_table, *file.also_in}):
        yield judged.in_other_table(route, [p.rows for p in main if p.route == route])
    if file.status == "SUCCESS" and file.in_table in around.rejected:
        rejected = [part.rows for part in found if part.is_rejected]
        yield from judged.rejected(rejected)


@dataclass(frozen=True)
class _Judged:
    file: RecordedFile
    around: Surroundings
    is_there: bool | None

    def held(self) -> Disagreement:
        file = self.file
        cause = f"batch {file.batch_id} has the file and is {file.held_by or 'not in the ledger'}"
        if file.batch_id is None:
            cause = "it is PROCESSING and no batch has it"
        cause += "; the ledger was changed by hand, or restored from a backup"
        unwanted = why_unwanted(file, self.around.on_changed_file)
        return Disagreement(
            Kind.FILE_HELD,
            f"{cause}; {unwanted}" if unwanted else cause,
            None if unwanted else Remedy.READ_AGAIN,
            file.key,
            file.file_id,
            file.batch_id,
        )

    def rolled_back(self) -> Disagreement:
        file = self.file
        cause = (
            f"the table was rolled back behind batch {file.committed_batch_id}, and no tick or run "
            "of the ingestion has looked since"
        )
        return self._say(Kind.ROLLED_BACK, cause, Remedy.RECOVER)

    def not_recorded(self) -> Disagreement:
        cause = (
            "it is SUCCESS and the ledger names no content of it; the ledger was changed by hand"
        )
        return self._say(Kind.NOT_RECORDED, cause)

    def not_committed(self, rows: int, route: str) -> Disagreement:
        file = self.file
        cause = f"the table has {rows} rows of it, and it is {file.status}, never committed"
        if file.status in _WAITING:
            return self._say(Kind.NOT_COMMITTED, cause, Remedy.WAIT, table=route)
        cause += "; upload it again, or delete its rows by `_file_id`"
        return self._say(Kind.NOT_COMMITTED, cause, None, table=route)

    def own_table(self, here: Sequence[ContentRows]) -> Iterator[Disagreement]:
        """Of the table that the file belongs into."""
        if self.around.overtakes:
            yield from self._overtaken(here)
            return
        file = self.file
        contents = {rows.content_id: rows for rows in here}
        own = contents.pop(file.committed_content_id, None)
        count = own.rows if own else 0
        if own is None and file.rows:
            yield self._say(Kind.ROWS_MISSING, self._why_missing(), self._lost())
        elif own is not None and own.doubled:
            cause = (
                f"{own.doubled} of {count} rows have a row number that is there already; another "
                "writer added them"
            )
            yield self._say(Kind.ROWS_DOUBLED, cause)
        elif count != file.rows:
            did = "deleted" if count < file.rows else "added"
            cause = (
                f"the table has {count} rows and the ledger {file.rows}; another writer {did} some"
            )
            yield self._say(Kind.ROW_COUNT, cause)
        others = sum(rows.rows for rows in contents.values())
        if others:
            cause = f"{others} rows of another content of it stand beside the committed one's"
            yield self._stray(Kind.OTHER_CONTENT, cause, contents, {file.content_id})

    def _overtaken(self, here: Sequence[ContentRows]) -> Iterator[Disagreement]:
        """As `own_table`, where any of the file's rows may be overtaken; none has become two."""
        file, table = self.file, self.around.tables[self.file.in_table]
        is_unknown = file.snapshot_id is not None and file.snapshot_id not in table.in_main
        if file.rows and not here and is_unknown and table.is_whole:
            yield self._say(Kind.ROWS_MISSING, self._why_missing(), self._lost())
        for rows in here:
            is_own = rows.content_id == file.committed_content_id
            if rows.doubled or (is_own and rows.rows > file.rows):
                cause = (
                    f"the table has {rows.rows} rows, {rows.doubled} of them with a row number "
                    f"that is there already, and the ledger {file.rows}; another writer added some"
                )
                yield self._say(Kind.ROWS_DOUBLED if rows.doubled else Kind.ROW_COUNT, cause)

    def _why_missing(self) -> str:
        file = self.file
        table = self.around.tables[file.in_table]
        gone = f"none of its {file.rows} rows is in the table: "
        if file.snapshot_id in table.in_main:
            return (
                f"{gone}another writer deleted them, or replaced the table's rows, after snapshot "
                f"{file.snapshot_id}"
            )
        if table.is_whole:
            return (
                f"{gone}it was dropped and made anew since, as its history never had snapshot "
                f"{file.snapshot_id}"
            )
        return (
            f"{gone}another writer deleted them or a rollback took them out; snapshots have "
            "expired since, so nobody can say"
        )

    def in_other_table(self, route: str, strays: Sequence[ContentRows]) -> Disagreement:
        name = self.around.tables[route].identifier
        own = self.around.tables.get(self.file.in_table)
        cause = f"{name} has rows of it, which belong into {own.identifier if own else 'its table'}"
        known = {self.file.content_id, self.file.committed_content_id, *self.file.kept}
        there = {rows.content_id for rows in strays}
        return self._stray(Kind.TWO_TABLES, cause, there, known, table=route)

    def _stray(
        self,
        kind: Kind,
        cause: str,
        there: Collection[int | None],
        leaving: Collection[int | None],
        *,
        table: str | None = None,
    ) -> Disagreement:
        """Rows of contents that are not known there; under `append` only the `leaving` ones go."""
        if self.around.on_changed_file != "append" or set(leaving).issuperset(there):
            return self._say(kind, cause, table=table)
        cause += "; under append they stay when it is read again: delete them by `_content_id`"
        return self._say(kind, cause, None, table=table)

    def rejected(self, found: Sequence[ContentRows]) -> Iterator[Disagreement]:
        file = self.file
        own = [rows for rows in found if rows.content_id == file.committed_content_id]
        counted = own if self.around.on_changed_file == "append" else found
        count = sum(rows.rows for rows in counted)
        if count != file.rejected:
            cause = f"the table of rejected rows has {count} of it and the ledger {file.rejected}"
            yield self._say(Kind.REJECTED_COUNT, cause)

    def _lost(self) -> Remedy:
        """None of the committed rows is there, so there is nothing to lose."""
        return Remedy.READ_AGAIN if self.file.status in READABLE else Remedy.FORGET

    def _say(
        self,
        kind: Kind,
        cause: str,
        remedy: Remedy | None = Remedy.READ_AGAIN,
        *,
        table: str | None = None,
    ) -> Disagreement:
        """Reading again is a remedy for a file that can be read, if its mode lets it."""
        file = self.file
        if remedy is Remedy.READ_AGAIN:
            why_not = why_not_read(file, is_there=self.is_there) or why_unwanted(
                file, self.around.on_changed_file
            )
            if why_not is not None:
                remedy = None
                cause += f"; {why_not}"
        return Disagreement(
            kind, cause, remedy, file.key, file.file_id, file.committed_batch_id, table
        )

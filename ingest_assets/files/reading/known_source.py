"""What is known of the fields of an ingestion's files, where a transform stands before the table.

The table's columns are those of the result; what types the files' own fields have is kept beside
them, from batch to batch, so that an all-null field or an integer among doubles is of the type that
it had before.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from ingest_assets.files.reading.opened import Content
from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.difference import ChangeKind, difference
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.union import union

_CONFLICTS = (ChangeKind.TYPE_CHANGED, ChangeKind.NARROWED)


@dataclass(frozen=True)
class FileSource:
    """The columns of one file, and what is known of all files if this one goes into the table.

    `always_present` as in `Observed`.
    """

    present: Columns
    known: Columns
    always_present: frozenset[str]


@dataclass
class KnownSource:
    """`columns`: every field that a file in the table had, None before the first.

    Files are noted and kept in their order, by one thread; any may read `columns`.
    """

    columns: Columns | None = None
    _noted: tuple[Content, FileSource] | None = None

    def note(self, content: Content, source: FileSource) -> None:
        """The content is being judged, and these are its columns."""
        self._noted = (content, source)

    def of(self, content: Content) -> FileSource | None:
        """The columns of the content that was noted last, if it is this one."""
        noted = self._noted
        return noted[1] if noted is not None and noted[0] is content else None

    def keep(self, content: Content) -> None:
        """The content is in the batch: what was noted of it is known from now on."""
        found = self.of(content)
        if found is not None:
            self.columns = found.known
        self._noted = None


def file_source(
    observed: Observed, expected: Columns, known: Columns | None, taken: Collection[str] = ()
) -> FileSource:
    """What the file has, judged against the columns that were `expected` of it.

    A column of another type is as the file has it, and for this file alone. So is one that is
    `taken` into the table as it is, because the table's rules judge it; any other one has also the
    nested fields that only other files had.
    """
    if known is None:
        rules = SchemaRules()
        first = decide(None, observed, rules).target
        by_name = {column.name: column for column in first}
        present = tuple(by_name.get(c.name, c) for c in observed.columns)
        return FileSource(present, present, observed.always_present)
    merged = {column.name: column for column in union(expected, observed.columns)}
    changes = difference(expected, observed.columns).changes
    changed = {c.column for c in changes if c.kind in _CONFLICTS}
    as_is = changed | set(taken)
    present = tuple(c if c.name in as_is else merged[c.name] for c in observed.columns)
    known_names = {column.name for column in known}
    fitting = tuple(
        column for column in present if column.name not in changed or column.name not in known_names
    )
    return FileSource(present, union(known, fitting), observed.always_present)


def expected_source(known: Columns | None, taken_as: dict[str, Column]) -> Columns:
    """The columns that a file is read by: of the table's type where they go into it untouched."""
    found = {column.name: column for column in known or ()}
    for name, column in taken_as.items():
        spelled = found[name].name_in_files if name in found else _spelled(name, column)
        found[name] = replace(
            column,
            name=name,
            source_name=None if spelled == name else spelled,
            is_required=name in found and found[name].is_required,
        )
    return tuple(found.values())


def _spelled(name: str, column: Column) -> str:
    return column.name_in_files if column.name == name else name

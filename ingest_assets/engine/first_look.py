"""A first look at a source that is not declared yet; nothing is written anywhere."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.declaration.source import Format, Source
from ingest_assets.deployment import Deployment
from ingest_assets.errors import FileContentError, IngestError
from ingest_assets.files.connections import Connection
from ingest_assets.files.pattern import matcher
from ingest_assets.files.reading.detection import detect, likely_record_path
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import FormatType
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import PAGE_FILES, SourceStore
from ingest_assets.schema.column import Columns
from ingest_assets.schema.union import union

FILES = 3
FILE_BYTES = 16 * 1024**2
"""A larger file is not looked into."""
_ROWS = 100_000


@dataclass(frozen=True)
class Listed:
    """The files of one small listing. `is_cut`: there may be more."""

    files: tuple[SourceFile, ...]
    is_cut: bool

    def matching(self, pattern: str) -> list[SourceFile]:
        """Those that the pattern has, in the order of their arrival."""
        matches = matcher(pattern)
        found = [file for file in self.files if matches(file.key)]
        return sorted(found, key=lambda file: (file.modified_at, file.key))


@dataclass(frozen=True)
class FirstLook:
    """What the first files are and hold; all of it is empty where nothing could be looked at.

    `format_type`, `record_path`: as detected. `without_nulls`: columns that had a value in every
    row seen. `key`: a column whose values were all different and that is named like a key.
    `days_in_a_file`: by column of moments, the days that one file has at most. `problem`: what
    stands in the way of reading them.
    """

    files: tuple[SourceFile, ...] = ()
    format_type: FormatType | None = None
    record_path: str | None = None
    columns: Columns = ()
    rows: int = 0
    always_present: frozenset[str] = frozenset()
    without_nulls: tuple[str, ...] = ()
    key: str | None = None
    days_in_a_file: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None


def listed(deployment: Deployment, source: Source, connection: Connection) -> Listed:
    """The store answers, and these are the first files under the prefix.

    Raises:
        ObjectStoreError: it cannot be reached or refuses; says what to change.
    """
    with tempfile.TemporaryDirectory(prefix="ingest-new-") as spool:
        found = _store(deployment, source, connection, spool).check()
    return Listed(tuple(found), len(found) >= PAGE_FILES)


def look(
    deployment: Deployment,
    source: Source,
    connection: Connection,
    files: Sequence[SourceFile],
    format_: Format | None = None,
) -> FirstLook:
    """What the first few of the files hold, read as the format says, or as they seem to be."""
    wanted = [file for file in files if 0 < file.size_bytes <= FILE_BYTES][:FILES]
    if not wanted:
        return FirstLook()
    with tempfile.TemporaryDirectory(prefix="ingest-new-") as spool:
        store = _store(deployment, source, connection, spool)
        try:
            contents = [store.fetch(file) for file in wanted]
            found, path = detect(contents[0]).type, None
            if found == "json":
                path = likely_record_path(contents[0])
            seen = FirstLook(tuple(wanted), found, path)
            if format_ is None:
                return seen
            return _read(seen, contents, format_)
        except IngestError as error:
            return FirstLook(tuple(wanted), problem=str(error))


def _store(
    deployment: Deployment, source: Source, connection: Connection, spool: str
) -> SourceStore:
    return SourceStore(source, connection, Path(spool), deployment.s3_clients)


def _read(seen: FirstLook, contents: Sequence[Content], format_: Format) -> FirstLook:
    """The files' columns together, and what is true of their rows."""
    reader = format_.reader()
    columns: Columns | None = None
    always: frozenset[str] | None = None
    try:
        for content in contents:
            observed = reader.observe(content, columns)
            columns = union(columns, observed.columns) if columns else observed.columns
            present = observed.always_present
            always = present if always is None else always & present
        firsts = [next(reader.read_careful(one, columns or ()), None) for one in contents]
    except FileContentError as error:
        return FirstLook(seen.files, seen.format_type, seen.record_path, problem=str(error))
    names = [column.name for column in columns or ()]
    parts = [chunk.rows for chunk in firsts if chunk is not None]
    tables = [part.select([n for n in names if n in part.column_names]) for part in parts]
    rows = pa.concat_tables(tables or [pa.table({})], promote_options="default").slice(0, _ROWS)
    full = tuple(n for n in names if n in rows.column_names and not rows[n].null_count)
    return FirstLook(
        seen.files,
        seen.format_type,
        seen.record_path,
        columns or (),
        rows.num_rows,
        always or frozenset(),
        full if rows.num_rows else (),
        _key(rows, full),
        _days(tables),
    )


def _key(rows: pa.Table, full: Sequence[str]) -> str | None:
    for name in full:
        column = rows[name]
        is_key = pa.types.is_integer(column.type) or pa.types.is_string(column.type)
        is_named_so = name == "id" or name.endswith(("_id", "_uuid", "_key", "_number"))
        if is_key and is_named_so and 1 < rows.num_rows == pc.count_distinct(column).as_py():
            return name
    return None


def _days(tables: Sequence[pa.Table]) -> dict[str, int]:
    """By each column of moments or days, how many days the file that has most of them has."""
    found: dict[str, int] = {}
    for table in tables:
        for name in table.column_names:
            kind = table[name].type
            if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
                days = pc.count_distinct(pc.floor_temporal(table[name], unit="day")).as_py()
                found[name] = max(found.get(name, 0), days)
    return found

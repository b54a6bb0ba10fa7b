"""How many rows of each content a table holds, counted exactly and in bounded memory.

Three numbers of each row go into a duckdb database that spills to a folder: 24 bytes a row.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from ingest_assets.locked_duckdb import locked_duckdb
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.live_rows import live_rows

_NUMBERS = ("_file_id", "_content_id", "_source_row")
_MAKE = "CREATE TABLE found (_file_id BIGINT, _content_id BIGINT, _source_row BIGINT)"
_COUNT = """
    CREATE TABLE counted AS
    SELECT _file_id, _content_id, sum(times)::BIGINT AS rows,
           (sum(times) - count(*))::BIGINT AS doubled
    FROM (SELECT *, count(*) AS times FROM found GROUP BY ALL) GROUP BY _file_id, _content_id
"""
_OURS = "SELECT * FROM counted WHERE _file_id IS NOT NULL ORDER BY _file_id, _content_id"
_OTHERS = "SELECT coalesce(sum(rows), 0)::BIGINT FROM counted WHERE _file_id IS NULL"
_ROWS_PER_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class ContentRows:
    """The rows of one content of one file; `doubled` are those whose number is there before."""

    file_id: int
    content_id: int | None
    rows: int
    doubled: int


class RowCounts:
    """The counts of one table at one snapshot. `unmarked_rows` are those without a `_file_id`."""

    def __init__(self, counted: duckdb.DuckDBPyConnection | None, unmarked_rows: int) -> None:
        self._counted = counted
        self.unmarked_rows = unmarked_rows

    def __iter__(self) -> Iterator[ContentRows]:
        """By `_file_id`, then `_content_id`."""
        if self._counted is None:
            return
        for batch in self._counted.sql(_OURS).to_arrow_reader(_ROWS_PER_BATCH):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield ContentRows(*values)


@contextmanager
def row_counts(table: Table, spool: Path) -> Iterator[RowCounts]:
    """The rows are counted, all of them, before the block begins; `spool` has what spills.

    Raises:
        CatalogError: the warehouse is out of reach.
    """
    schema, identifier = table.schema(), ".".join(table.name())
    if not set(_NUMBERS) <= set(schema.column_names):
        with reachable(identifier):
            unmarked = sum(task.file.record_count for task in table.scan().plan_files())
        yield RowCounts(None, unmarked)
        return
    spool.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=spool) as folder, _database(folder) as database:
        for rows in _numbers(table, schema.select(*_NUMBERS), identifier):
            database.register("rows", rows)
            database.execute(f"INSERT INTO found SELECT {', '.join(_NUMBERS)} FROM rows")
        database.execute(_COUNT)
        database.execute("DROP TABLE found")
        [(unmarked,)] = database.execute(_OTHERS).fetchall()
        yield RowCounts(database, unmarked)


@contextmanager
def _database(folder: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with locked_duckdb("256MB", folder, keeps_order=False) as database:
        database.execute(_MAKE)
        yield database


def _numbers(table: Table, schema: Schema, identifier: str) -> Iterator[pa.Table]:
    """Without the rows' own columns; nothing is kept of a data file that is counted."""
    with reachable(identifier):
        for task in table.scan().plan_files():
            yield from live_rows(table, task, schema)

"""Rows that claim one key: which of them stays, told by joins that spill to disk.

The newest stays: by the order column (null is the oldest), then by the arrival of its file, which
is the moment and the address, then by its place in the file. Of two that are equal in all of it,
which are one row that was read twice, the one that comes stays.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.locked_duckdb import locked_duckdb, quoted
from ingest_assets.tables.lineage import MODIFIED_AT

ARRIVAL = (MODIFIED_AT.name, "_source_file", "_source_row")
"""The columns that say when a row came; null, as in rows of before the mode, is the earliest."""

COMING, PRESENT, DELETED = 2, 1, 0
"""Where a contender is: among the batch's rows, in the table, or in `tables.deleted_keys`."""


class Contenders:
    """The rows that claim the keys of one batch. First come those of the batch, then the others."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, key: Sequence[str], order_by: str | None
    ) -> None:
        self._database = database
        self._key = key
        order = [] if order_by is None else [order_by]
        self.columns = (*key, *order, *ARRIVAL)
        self._is_made = False
        self._types = pa.schema([])
        self._keys = ", ".join(quoted(name) for name in key)
        self._order = ", ".join(
            [f"{quoted(name)} DESC NULLS LAST" for name in (*order, *ARRIVAL)] + ["_origin DESC"]
        )

    def come(self, file: int, start: int, rows: pa.Table, gone: pa.ChunkedArray) -> None:
        """Rows of the batch: in its data file number `file`, from row `start` on.

        `gone` says of each whether it deletes its key.
        """
        self._types = rows.schema.empty_table().select(self._key).schema
        found = self._placed(start, rows).append_column("_gone", gone)
        self._database.register("found", found)
        if not self._is_made:
            self._database.execute(
                "CREATE TABLE contenders AS "
                "SELECT 0::TINYINT AS _origin, 0 AS _file, * FROM found LIMIT 0"
            )
            self._is_made = True
        self._database.execute(f"INSERT INTO contenders SELECT {COMING}, {file}, * FROM found")

    def keys(self) -> pa.Table:
        """The keys of the batch, each once; called when all of its rows have come."""
        self._database.execute(
            f"CREATE TABLE wanted AS SELECT DISTINCT {self._keys} FROM contenders"
        )
        found = self._database.sql("FROM wanted").to_arrow_table()
        # duckdb calls UTC by another name, and knows no bytes of a fixed length.
        return found.cast(self._types)

    def are_there(
        self, origin: int, file: int, start: int, rows: pa.Table, but: pa.ChunkedArray | None = None
    ) -> None:
        """Rows of another place, without those that `but` marks; other keys are passed over."""
        found = self._placed(start, rows)
        found = found if but is None else found.filter(pc.invert(but))
        self._database.register("found", found)
        self._database.execute(
            f"INSERT INTO contenders SELECT {origin}, {file}, *, {origin} = {DELETED} FROM "
            f"(SELECT found.* FROM found SEMI JOIN wanted USING ({self._keys}))"
        )

    def judge(self) -> None:
        """It is known which row stays of each key."""
        self._database.execute(
            "CREATE TABLE judged AS SELECT _origin, _file, _row, _gone, "
            f"row_number() OVER (PARTITION BY {self._keys} ORDER BY {self._order}) > 1 AS _lost "
            "FROM contenders"
        )

    def leaving(self, origin: int) -> Iterator[tuple[int, pa.Array]]:
        """The rows that leave that place, by data file: they lost, or they delete their key."""
        return self._by_file(f"_origin = {origin} AND (_lost OR _gone)")

    def deleting(self) -> Iterator[tuple[int, pa.Array]]:
        """The rows of the batch that delete their keys."""
        return self._by_file(f"_origin = {COMING} AND _gone AND NOT _lost")

    def _by_file(self, which: str) -> Iterator[tuple[int, pa.Array]]:
        files = self._database.sql(
            f"SELECT DISTINCT _file FROM judged WHERE {which} ORDER BY _file"
        ).fetchall()
        for (file,) in files:
            rows = self._database.sql(
                f"SELECT _row FROM judged WHERE _file = {file} AND {which} ORDER BY _row"
            )
            yield file, rows.to_arrow_table()["_row"].combine_chunks()

    def _placed(self, start: int, rows: pa.Table) -> pa.Table:
        numbers = pa.arange(start, start + rows.num_rows)
        return rows.select(self.columns).add_column(0, "_row", numbers)


@contextmanager
def contenders(key: Sequence[str], order_by: str | None) -> Iterator[Contenders]:
    """None yet; what does not fit into memory is in a temporary folder until the block ends."""
    with (
        TemporaryDirectory(prefix="ingest-") as folder,
        locked_duckdb("256MB", folder, keeps_order=False) as database,
    ):
        yield Contenders(database, key, order_by)

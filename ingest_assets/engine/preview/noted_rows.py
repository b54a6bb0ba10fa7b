"""Rows on their way to nowhere, of which is noted what a person wants to see."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.engine.sink import Sink
from ingest_assets.schema.value_text import text_of
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.scratch import ScratchTarget

SHOWN_CHARACTERS = 200
_DAYS_AT_MOST = 10_000


@dataclass
class Notes:
    """Of rows that would be written: how many, how many nulls, the first, and on which days.

    `nulls`: by column; a column that came later is null in the rows before it. `days`: by temporal
    column, how many rows are of each day. `rescued`: rows with something in `_rescued_data`.
    """

    sample_rows: int
    rows: int = 0
    values: Counter[str] = field(default_factory=Counter)
    first: list[dict[str, Any]] = field(default_factory=list)
    days: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    distinct: dict[str, int] = field(default_factory=dict)
    rescued: list[dict[str, Any]] = field(default_factory=list)
    arrow_bytes: int = 0

    def see(self, rows: pa.Table) -> None:
        """These rows would be written, too."""
        self.rows += rows.num_rows
        self.arrow_bytes += rows.nbytes
        for name in rows.column_names:
            self.values[name] += rows.num_rows - rows[name].null_count
            self._see_days(name, rows[name])
        wanted = self.sample_rows - len(self.first)
        if wanted > 0:
            self.first += rows.slice(0, wanted).to_pylist()
        if (
            "_rescued_data" in rows.column_names
            and rows["_rescued_data"].null_count < rows.num_rows
        ):
            self._see_rescued(rows)

    def _see_days(self, name: str, column: pa.ChunkedArray) -> None:
        is_moment = pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)
        if not is_moment or name.startswith("_") or len(self.days[name]) > _DAYS_AT_MOST:
            return
        if pa.types.is_timestamp(column.type):
            column = pc.floor_temporal(column, unit="day").cast(pa.date32(), safe=False)
        for found in pc.value_counts(column.cast(pa.int32())).to_pylist():
            if found["values"] is not None:
                self.days[name][found["values"]] += found["counts"]

    def _see_rescued(self, rows: pa.Table) -> None:
        names = ["_source_file", "_source_row", "_rescued_data"]
        there = rows.filter(pc.is_valid(rows["_rescued_data"]))
        self.rescued += there.select([n for n in names if n in rows.column_names]).to_pylist()


class _NotingWriter(DataFileWriter):
    def __init__(self, target: ScratchTarget, name: str, sample_rows: int) -> None:
        super().__init__(target, name)
        self.notes = Notes(sample_rows)

    def write(self, *tables: pa.Table) -> None:
        super().write(*tables)
        for rows in tables:
            self.notes.see(rows)


class NotingSink(Sink):
    """A sink whose data files go nowhere; what a file that fails has written is not noted."""

    def __init__(self, target: ScratchTarget, name: str, sample_rows: int) -> None:
        super().__init__(target, name)
        self._sample_rows = sample_rows

    def own(self) -> DataFileWriter:
        assert isinstance(self.target, ScratchTarget)
        self._number += 1
        return _NotingWriter(self.target, f"{self._name}-{self._number}", self._sample_rows)

    @property
    def notes(self) -> list[Notes]:
        """In the order in which the writers were begun; of the files that are good."""
        return [writer.notes for writer in self._writers if isinstance(writer, _NotingWriter)]


def shown(value: Any) -> str | None:
    """The value as a person reads it, on one line and cut; None for a null."""
    if value is None:
        return None
    text = value if isinstance(value, str) else text_of(value)
    text = " ".join(str(text).split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def rescued_fields(row: dict[str, Any]) -> dict[str, Any]:
    """What stands in `_rescued_data` of a row, by field."""
    found = orjson.loads(row["_rescued_data"])
    return found if isinstance(found, dict) else {"": found}

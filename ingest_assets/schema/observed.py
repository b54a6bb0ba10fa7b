"""What the careful path learned from the whole of one file, before any of its rows is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest_assets.schema.column import Columns


@dataclass(frozen=True)
class Observed:
    """The file's own schema, judged against the table's.

    `columns`: those of the table that the file has, with the table's type or, where most of the
    file's values do not fit it, with the file's; then the new ones. A column of which the file
    says nothing (nulls, empty lists and objects) is here only if the table has it.
    `record_count`: records that could be parsed. `detected`: how the file was read, in words.
    `always_present`: names of the columns whose field every record had, null or not.
    """

    columns: Columns
    record_count: int
    detected: Mapping[str, str | int | bool] = field(default_factory=dict)
    always_present: frozenset[str] = frozenset()

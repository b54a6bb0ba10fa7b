"""Rows of one schema as rows of another, matched by field ids at every depth."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyiceberg.schema import Schema

from ingest_assets.schema.column import as_spelled
from ingest_assets.schema.conversion import NO_MISFITS, Misfits, convert
from ingest_assets.schema.nested import entries_of, with_entries
from ingest_assets.tables.iceberg_types import arrow_file_schema
from ingest_assets.tables.operations import Path

_FIELD_ID = b"PARQUET:field_id"


@dataclass(frozen=True)
class Replaced:
    """The field whose values a new field takes over, converted; `known` as `Retype` has it."""

    field_id: int
    path: Path
    known: pa.DataType | None = None


@dataclass
class Restructuring:
    """From rows of `before` to rows of `after`; `misfits` counts what did not convert, by column.

    A field of `after` has the values of the field with its id, cast if it was promoted; else the
    values of the field that it replaces; else it is null.
    """

    before: Schema
    after: Schema
    replaced: Mapping[int, Replaced] = field(default_factory=dict)
    misfits: dict[Path, Misfits] = field(default_factory=dict)

    def apply(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows under the schema `after`."""
        sources = self._by_id(arrow_file_schema(self.before), rows.columns)
        schema = arrow_file_schema(self.after)
        arrays = [self._values(sources, wanted, rows.num_rows) for wanted in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _by_id(
        self, fields: pa.Schema | pa.StructType, arrays: list[pa.Array]
    ) -> dict[int, tuple[pa.Field, pa.Array]]:
        return {
            _id(found): (found, array) for found, array in zip(list(fields), arrays, strict=True)
        }

    def _values(
        self, sources: dict[int, tuple[pa.Field, pa.Array]], wanted: pa.Field, length: int
    ) -> pa.Array:
        kept = sources.get(_id(wanted))
        if kept is not None:
            return self._kept(kept[1], kept[0], wanted)
        replaced = self.replaced.get(_id(wanted))
        if replaced is None or replaced.field_id not in sources:
            return pa.nulls(length, wanted.type)
        array = sources[replaced.field_id][1]
        if replaced.known is not None:
            array = array.view(as_spelled(array.type, replaced.known))
        values, misfits = convert(array, wanted.type)
        self.misfits[replaced.path] = self.misfits.get(replaced.path, NO_MISFITS) + misfits
        return values

    def _kept(self, array: pa.Array, found: pa.Field, wanted: pa.Field) -> pa.Array:
        if found.equals(wanted, check_metadata=True):
            return array
        if pa.types.is_struct(wanted.type):
            sources = self._by_id(found.type, array.flatten())
            children = [self._values(sources, child, len(array)) for child in wanted.type]
            return pa.StructArray.from_arrays(
                children, fields=list(wanted.type), mask=array.is_null()
            )
        if pa.types.is_list(wanted.type):
            entries = self._kept(entries_of(array), found.type.value_field, wanted.type.value_field)
            return with_entries(array, entries, wanted.type)
        if pa.types.is_map(wanted.type):
            keys, items = entries_of(array).flatten()
            items = self._kept(items, found.type.item_field, wanted.type.item_field)
            pairs = pa.StructArray.from_arrays([keys, items], ["key", "value"])
            return with_entries(array, pairs, wanted.type)
        return array.cast(wanted.type)


def _id(field_: pa.Field) -> int:
    return int(field_.metadata[_FIELD_ID])

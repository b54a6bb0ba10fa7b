"""Blocks of JSON lines as tables, also where records have fields that say nothing.

A field that is null, `[]` or `{}` in every record is of no column. Exports have such fields for
years, and Arrow's reader refuses a field that it is not told of. So it is told of those in the
first lines of a block that it refused, under types that take nothing else.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ingest_assets.errors import ColumnNameError
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.files.reading.json_fast import read_block
from ingest_assets.files.reading.json_values import BadRecord, parse_record
from ingest_assets.schema.fit import says_nothing
from ingest_assets.schema.names import column_names

_SAMPLE_BYTES = 64 * 1024
_FIELDS_AT_MOST = 100
"""Each costs pyarrow 26.0.1 some 6 ns a row, whether the row has it or not."""


class JsonTables:
    """`reading` is what Arrow's reader is given for the columns, as a struct."""

    def __init__(self, reading: pa.StructType) -> None:
        self._reading = reading
        self._fields_at_most = _field_count(reading) + _FIELDS_AT_MOST

    def read(self, block: bytes, row_count: int) -> pa.Table:
        """The objects of the block, one chunk a column; beside the columns of `reading`, after its
        own in each struct, fields that say nothing.

        Raises:
            Stumbled: an object does not fit.
        """
        try:
            return read_block(block, pa.schema(list(self._reading)), row_count)
        except Stumbled:
            self._reading = self._wider(block)
        return read_block(block, pa.schema(list(self._reading)), row_count)

    def _wider(self, block: bytes) -> pa.StructType:
        try:
            records = [parse_record(line) for line in _first_lines(block) if line.strip()]
            wider = _with_fields(self._reading, records)
        except (BadRecord, ColumnNameError, pa.ArrowException) as problem:
            raise Stumbled from problem
        if wider == self._reading or _field_count(wider) > self._fields_at_most:
            raise Stumbled
        return wider


def _first_lines(block: bytes) -> list[bytes]:
    head, newline, _ = block[:_SAMPLE_BYTES].rpartition(b"\n")
    return head.split(b"\n") if newline else block.split(b"\n", 1)[:1]


def _with_fields(struct: pa.StructType, records: Sequence[dict[str, Any]]) -> pa.StructType:
    found: dict[str, list[Any]] = {}
    for record in records:
        for key, value in record.items():
            found.setdefault(key, []).append(value)
    known = [
        field.with_type(_with_nested(field.type, found.pop(field.name, ()))) for field in struct
    ]
    if not all(says_nothing(value) for values in found.values() for value in values):
        raise Stumbled
    column_names([*(field.name for field in known), *found])
    return pa.struct([*known, *((key, pa.infer_type(values)) for key, values in found.items())])


def _with_nested(type_: pa.DataType, values: Sequence[Any]) -> pa.DataType:
    if pa.types.is_struct(type_):
        return _with_fields(type_, [value for value in values if type(value) is dict])
    if pa.types.is_list(type_):
        items = [item for value in values if type(value) is list for item in value]
        return pa.list_(_with_nested(type_.value_type, items))
    return type_


def _field_count(type_: pa.DataType) -> int:
    children = (type_.field(index) for index in range(type_.num_fields))
    return sum(1 + _field_count(child.type) for child in children)

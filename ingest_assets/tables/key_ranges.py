"""The data files that may hold one of many keys, by what their manifests say of their columns."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    GreaterThanOrEqual,
    LessThanOrEqual,
)
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.types import NestedField, PrimitiveType

_NUMBERED = {
    pa.date32(): pa.int32(),
    pa.time64("us"): pa.int64(),
    pa.timestamp("us"): pa.int64(),
    pa.timestamp("us", tz="UTC"): pa.int64(),
}
"""Types whose bounds PyIceberg reads as numbers."""

_FEW_KEYS = 200_000
"""Of more keys only the least and the greatest are compared: they are in most data files anyhow."""


def files_with(table: Table, snapshot_id: int, keys: pa.Table) -> Iterator[FileScanTask]:
    """The data files of the snapshot in which a row may have one of the keys.

    `keys` has the key's columns under their names. A file is passed over where its partition, or
    the least and greatest value of a column of the key, says that it holds none of them.
    """
    ranges = [_range(name, keys[name]) for name in keys.column_names]
    condition: BooleanExpression = AlwaysTrue()
    for one in ranges:
        condition = And(condition, one)
    names = keys.column_names if keys.num_rows <= _FEW_KEYS else ()
    values = {name: _sorted(keys[name]) for name in names}
    schema = table.schema()
    fields = {name: schema.find_field(name) for name in names}
    for task in table.scan(row_filter=condition, snapshot_id=snapshot_id).plan_files():
        if all(_may_hold(task.file, field, values[name]) for name, field in fields.items()):
            yield task


def _range(name: str, values: pa.ChunkedArray) -> BooleanExpression:
    if pa.types.is_boolean(values.type):
        return AlwaysTrue()
    found = pc.min_max(values)
    low, high = found["min"].as_py(), found["max"].as_py()
    # mypy takes the signature of pydantic's, not of their own `__init__`.
    above = GreaterThanOrEqual(name, low)  # type: ignore[call-arg, arg-type]
    return And(above, LessThanOrEqual(name, high))  # type: ignore[call-arg, arg-type]


def _sorted(values: pa.ChunkedArray) -> list[Any]:
    plain = values.cast(_NUMBERED.get(values.type, values.type))
    return sorted(pc.unique(plain).to_pylist())


def _may_hold(file: DataFile, field: NestedField, values: Sequence[Any]) -> bool:
    lower = (file.lower_bounds or {}).get(field.field_id)
    upper = (file.upper_bounds or {}).get(field.field_id)
    type_ = field.field_type
    if lower is None or upper is None or not isinstance(type_, PrimitiveType):
        return True
    place = bisect_left(values, from_bytes(type_, lower))
    return place < len(values) and values[place] <= from_bytes(type_, upper)

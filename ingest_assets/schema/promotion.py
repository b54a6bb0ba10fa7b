"""The changes of type that Iceberg makes without rewriting data.

https://iceberg.apache.org/spec/#schema-evolution: int to long, float to double, and a decimal of
the same scale to a wider one.
"""

import pyarrow as pa


def is_promotion(before: pa.DataType, after: pa.DataType) -> bool:
    """Iceberg can turn a column of type `before` into one of type `after`."""
    if pa.types.is_int32(before):
        return bool(pa.types.is_int64(after))
    if pa.types.is_float32(before):
        return bool(pa.types.is_float64(after))
    if pa.types.is_decimal128(before) and pa.types.is_decimal128(after):
        return bool(before.scale == after.scale and before.precision < after.precision)
    return False

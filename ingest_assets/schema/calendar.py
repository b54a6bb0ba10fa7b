"""The days that every reader of a table knows: the years 1 to 9999.

Python's dates, Postgres and Athena agree on them; Arrow and Parquet hold more.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

_DAY_MICROS = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


def is_in_calendar(array: pa.Array) -> bool:
    """Every date32 and timestamp[us] in the array, at any depth, is of such a day."""
    return all(_are_known(moments) for moments in _moments(array))


def _are_known(moments: pa.Array) -> bool:
    is_timestamp = pa.types.is_timestamp(moments.type)
    numbers = moments.view(pa.int64() if is_timestamp else pa.int32())
    low, high = pc.min_max(numbers).as_py().values()
    unit = _DAY_MICROS if is_timestamp else 1
    return low is None or (low >= _FIRST_DAY * unit and high < (_LAST_DAY + 1) * unit)


def _moments(array: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_timestamp(array.type) or pa.types.is_date32(array.type):
        yield array
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _moments(child)
    elif pa.types.is_list(array.type):
        yield from _moments(array.flatten())
    elif pa.types.is_map(array.type):
        yield from _moments(array.keys)
        yield from _moments(array.items)

"""Arrays of lists and maps taken apart into their entries, and put together from other entries.

Arrow's arrays may be slices, and may hold entries under a null; neither is in what comes out here.
"""

import pyarrow as pa
import pyarrow.compute as pc


def entries_of(array: pa.Array) -> pa.Array:
    """The elements of all lists, one after the other; of maps structs of `key` and `value`."""
    return _as_list(array).flatten()


def with_entries(array: pa.Array, entries: pa.Array, type_: pa.DataType) -> pa.Array:
    """`array` with these entries in place of its own, as a `type_`; nulls stay null.

    `entries` has as many as `entries_of(array)`, for a map in a struct of keys and values.
    """
    lengths = pc.fill_null(pc.list_value_length(_as_list(array)), 0).cast(pa.int32())
    ends = pc.cumulative_sum(lengths)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    is_null = array.is_null()
    if pa.types.is_map(type_):
        keys, items = entries.flatten()
        return pa.MapArray.from_arrays(offsets, keys, items, type=type_, mask=is_null)
    return pa.ListArray.from_arrays(offsets, entries, type=type_, mask=is_null)


def _as_list(array: pa.Array) -> pa.ListArray:
    if not pa.types.is_map(array.type):
        return array
    entry = pa.struct([array.type.key_field, array.type.item_field])
    return array.cast(pa.list_(pa.field("entries", entry, nullable=False)))

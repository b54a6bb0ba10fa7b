"""JSON lines of a known schema, by Arrow's own reader: right for every row, or `Stumbled`.

What Arrow takes and the careful path would not is found beforehand or afterwards: bytes that are
not UTF-8, NaN and infinity, integers that a double cannot hold, several objects on one line or one
over several lines. A line `null` at the start of a block makes pyarrow 26.0.1 crash, so lines are
looked at before Arrow sees them; https://github.com/apache/arrow/issues/47409.
"""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.schema.column import name_in_files
from ingest_assets.schema.text_arrays import fit_text

Converter = Callable[[pa.Array], pa.Array]


def reading_type(type_: pa.DataType) -> pa.DataType:
    """The type that Arrow's reader is given for a column of `type_`.

    Raises:
        Stumbled: there is none with the same rules as the careful path.
    """
    if pa.types.is_struct(type_):
        return pa.struct([(name_in_files(f), reading_type(f.type)) for f in type_])
    if pa.types.is_list(type_):
        return pa.list_(reading_type(type_.value_type))
    if pa.types.is_int32(type_) or pa.types.is_int64(type_):
        return pa.int64()
    if pa.types.is_float32(type_) or pa.types.is_float64(type_):
        return pa.float64()
    if pa.types.is_boolean(type_):
        return type_
    if pa.types.is_map(type_) or pa.types.is_decimal(type_):
        # Arrow takes a map as a list of pairs, and a decimal with leading zeros.
        raise Stumbled
    return pa.string()


def converter(type_: pa.DataType) -> Converter | None:
    """A function from an array of `reading_type(type_)` to one of `type_`; None: it is the same.

    The function raises `Stumbled` when a value does not fit.
    """
    if pa.types.is_struct(type_):
        parts = [converter(field.type) for field in type_]
        return lambda array: _convert_struct(array, type_, parts)
    if pa.types.is_list(type_):
        part = converter(type_.value_type)
        if part is None:
            return None
        return lambda array: pa.ListArray.from_arrays(
            array.offsets, part(array.values), type=type_, mask=array.is_null()
        )
    if pa.types.is_floating(type_):
        return lambda array: _convert_double(array, type_)
    if pa.types.is_int32(type_):
        return lambda array: _convert_int(array, type_)
    if pa.types.is_string(type_) or pa.types.is_int64(type_) or pa.types.is_boolean(type_):
        return None
    return lambda array: _convert_text(array, type_)


def _convert_struct(
    array: pa.StructArray, type_: pa.StructType, parts: list[Converter | None]
) -> pa.Array:
    children = [
        array.field(index) if part is None else part(array.field(index))
        for index, part in enumerate(parts)
    ]
    return pa.StructArray.from_arrays(children, fields=list(type_), mask=array.is_null())


def _convert_double(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """An integer in the file may have lost digits from 2**53 on; NaN is not less than anything."""
    if pc.all(pc.less(pc.abs(array), float(2**53))).as_py() is False:
        raise Stumbled
    return array if pa.types.is_float64(type_) else pc.cast(array, type_)


def _convert_int(array: pa.Array, type_: pa.DataType) -> pa.Array:
    try:
        return pc.cast(array, type_)
    except pa.ArrowInvalid as error:
        raise Stumbled from error


def _convert_text(array: pa.Array, type_: pa.DataType) -> pa.Array:
    values, misfits = fit_text(array, type_)
    if misfits is not None:
        raise Stumbled
    return values


def line_numbers(block: bytes) -> tuple[pa.Array, int]:
    """The numbers, from 0, of the lines of the block that hold one object each, and all lines.

    A line that begins with `{` and ends with `}` cannot be part of a longer object: `{` never
    follows `}` inside one. So as many rows as such lines means one object a line.

    Raises:
        Stumbled: another line is not blank.
    """
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if block.startswith(b"{") and block.endswith((b"}\n", b"}")):
        whole = block.count(b"}\n{") + 1
        if whole == lines:
            return pa.arange(0, lines), lines
    numbers = []
    for number, line in enumerate(block.split(b"\n")):
        stripped = line.strip()
        if stripped:
            if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
                raise Stumbled
            numbers.append(number)
    return pa.array(numbers, pa.int64()), lines


def read_block(block: bytes, schema: pa.Schema, row_count: int) -> pa.Table:
    """The objects of the block as a table of one chunk and of `schema`.

    Raises:
        Stumbled: an object does not fit the schema exactly.
    """
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError as error:
            raise Stumbled from error
    try:
        table = pj.read_json(
            pa.BufferReader(block),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pj.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="error"
            ),
        )
    except pa.ArrowException as error:
        raise Stumbled from error
    if table.num_rows != row_count:
        raise Stumbled
    return table.combine_chunks()

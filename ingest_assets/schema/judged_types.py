"""What a file that declares its types says about the table's type of a column."""

import pyarrow as pa

from ingest_assets.schema.column import accepts_any, name_in_files, nested_field
from ingest_assets.schema.promotion import is_promotion


def judged_type(
    expected: pa.DataType, own: pa.DataType, *, takes_any: bool = False
) -> pa.DataType | None:
    """The type the column has, from the types alone; None: its values have to be looked at.

    `takes_any`: the table's column holds the text of every value, so its type stays.

    Nested types are judged field by field: a field stays as the table has it where its type is the
    same or can be promoted to the table's; else it is as the file has it.
    """
    if takes_any or own == expected or is_promotion(own, expected):
        return expected
    if is_promotion(expected, own):
        return own
    if pa.types.is_struct(expected) and pa.types.is_struct(own):
        known = {field.name: field for field in expected}
        return pa.struct([_judged_field(known.get(field.name), field) for field in own])
    if pa.types.is_list(expected) and pa.types.is_list(own):
        return pa.list_(_judged_field(expected.value_field, own.value_field))
    if pa.types.is_map(expected) and pa.types.is_map(own) and expected.key_type == own.key_type:
        return pa.map_(own.key_type, _judged_field(expected.item_field, own.item_field))
    return own if pa.types.is_nested(expected) or pa.types.is_nested(own) else None


def _judged_field(expected: pa.Field | None, own: pa.Field) -> pa.Field:
    if expected is None:
        return own
    type_ = judged_type(expected.type, own.type, takes_any=accepts_any(expected)) or own.type
    return nested_field(
        expected.name,
        type_,
        source_name=name_in_files(own),
        accepts_any=accepts_any(expected if type_ == expected.type else own),
    )

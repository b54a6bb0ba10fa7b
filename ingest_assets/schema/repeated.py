"""The types of values that may stand several times in one place, as the children in XML do."""

from typing import Any

import pyarrow as pa

from ingest_assets.schema.column import accepts_any, nested_field
from ingest_assets.schema.fit import field_for
from ingest_assets.schema.infer import Inference


class RepeatedInference(Inference):
    """The values of a field are given as a list where it can repeat, of one value mostly.

    A field of which one object has several is a list for all. Where the table's column is none, it
    stays so unless most objects have several. Where some values are objects and others texts, a
    text is an object with one field, `text_name`.
    """

    def __init__(self, expected: pa.Field | None, text_name: str) -> None:
        is_list = expected is not None and pa.types.is_list(expected.type)
        super().__init__(expected.type.value_field if is_list and expected else expected)
        self._text_name = text_name
        self._is_list = is_list
        self._is_known = expected is not None
        self._repeated = 0

    def see(self, value: Any) -> None:
        """The value, or each of a list, is counted.

        Raises:
            ColumnNameError: two fields at this place would become one column.
        """
        presence = self.presence
        for item in value if type(value) is list else (value,):
            super().see(_as_object(item, self._type, self._text_name))
        self._repeated += type(value) is list and len(value) > 1
        self.presence = presence + 1

    def _like(self, expected: pa.Field | None) -> Inference:
        return RepeatedInference(expected, self._text_name)

    def _own(self, name: str) -> pa.Field | None:
        texts = {kind: count for kind, count in self._kinds.items() if kind != "object"}
        if texts and "object" in self._kinds:
            field = self._fields.get(self._text_name) or self._new_field(self._text_name)
            field.see_kinds(texts)
            return self._struct_field(name)
        return super()._own(name)

    def result(self, name: str) -> pa.Field | None:
        """As of any inference, in a list if the field repeats."""
        found = super().result(name)
        is_often = self._repeated * 2 > self.presence
        if found is None or not (self._is_list or (is_often if self._is_known else self._repeated)):
            return found
        element = nested_field("element", found.type, accepts_any=accepts_any(found))
        return nested_field(name, pa.list_(element))


class Shape:
    """What a record is to a struct: each list of one value is that value where no list is meant,
    and a text is an object where one is.
    """

    def __init__(self, type_: pa.DataType | None, text_name: str) -> None:
        self._text_name = text_name
        self._type = type_ if type_ is not None and pa.types.is_struct(type_) else None
        self._fields: dict[str, tuple[bool, Shape]] = {}

    def of(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record; unknown fields are no lists."""
        return {key: self._value(key, value) for key, value in record.items()}

    def _value(self, key: str, value: Any) -> Any:
        is_list, shape = self._fields.get(key) or self._new_field(key)
        if type(value) is not list:
            return value
        items = [_as_object(item, shape._type, self._text_name) for item in value]
        items = [shape.of(item) if type(item) is dict else item for item in items]
        return items if is_list or len(items) > 1 else items[0]

    def _new_field(self, key: str) -> "tuple[bool, Shape]":
        field = None if self._type is None else field_for(self._type, key)
        is_list = field is not None and pa.types.is_list(field.type)
        of_one = None if field is None else field.type.value_type if is_list else field.type
        self._fields[key] = (is_list, Shape(of_one, self._text_name))
        return self._fields[key]


def _as_object(value: Any, type_: pa.DataType | None, text_name: str) -> Any:
    is_object = type_ is not None and pa.types.is_struct(type_)
    return {text_name: value} if is_object and isinstance(value, str) else value

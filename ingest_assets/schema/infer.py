"""The types of a file's values, from all of them, and what that means for the table's types.

What values of which kinds have which type is told in `schema.kinds`; objects are merged field by
field.

Where the table has the column, its type stays unless most of the values do not fit, or the file's
own type is one that Iceberg can promote it to.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ingest_assets.schema.column import accepts_any, nested_field
from ingest_assets.schema.fit import FITS, field_for, fitter, says_nothing
from ingest_assets.schema.kinds import kind_of, scalar_type
from ingest_assets.schema.names import claim_name
from ingest_assets.schema.promotion import is_promotion


def judged_field(
    expected: pa.Field | None, own: pa.Field | None, misfits: int, count: int
) -> pa.Field | None:
    """The table's field or, where most of `count` values do not fit it, the file's own."""
    if expected is None or own is None:
        return expected or own
    if misfits and is_promotion(expected.type, own.type):
        return own
    return own if misfits * 2 > count else expected


class Inference:
    """The values seen at one place of the records; `expected` is the table's field, if any."""

    def __init__(self, expected: pa.Field | None = None) -> None:
        self._expected = expected
        self._type = None if expected is None else expected.type
        takes_any = expected is not None and accepts_any(expected)
        self._fit = None if expected is None else fitter(expected.type, takes_any=takes_any)
        self._is_nested = self._type is not None and pa.types.is_nested(self._type)
        self._takes_any = takes_any
        self._kinds: Counter[str] = Counter()
        self._misfits = 0
        self._fields: dict[str, Inference] = {}
        self._names: dict[str, str] = {}
        self._taken: dict[str, str] = {}
        self._elements: Inference | None = None
        self.presence = 0

    def see(self, value: Any) -> None:
        """The value is counted.

        Raises:
            ColumnNameError: two fields at this place would become one column.
        """
        self.presence += 1
        if value is None:
            return
        is_text = isinstance(value, str)
        kind = "string" if is_text and "string" in self._kinds else kind_of(value)
        if kind == "object":
            self._see_object(value)
        elif kind == "list":
            self._see_list(value)
        if kind not in ("object", "list") or not says_nothing(value):
            self._kinds[kind] += 1
            if not self._holds(kind, value):
                self._misfits += 1

    def _holds(self, kind: str, value: Any) -> bool:
        """The table's type takes the value; of a nested one only the outermost level counts."""
        if self._fit is None or self._type is None or self._takes_any:
            return True
        if self._is_nested:
            is_list = pa.types.is_list(self._type)
            return kind == ("list" if is_list else "object")
        return self._fit(value)[1] is FITS

    def _see_object(self, value: dict[str, Any]) -> None:
        for key, item in value.items():
            field = self._fields.get(key)
            if field is None:
                field = self._new_field(key)
            field.see(item)

    def _new_field(self, key: str) -> "Inference":
        expected = None
        if self._type is not None and pa.types.is_struct(self._type):
            expected = field_for(self._type, key)
        name = claim_name(key, self._taken, None if expected is None else expected.name)
        self._names[key] = name
        self._fields[key] = self._like(expected)
        return self._fields[key]

    def _like(self, expected: pa.Field | None) -> "Inference":
        """Of the same rules, for a place below this one."""
        return Inference(expected)

    def see_kinds(self, counts: Mapping[str, int]) -> None:
        """So many values of each kind, that fit, are counted."""
        self._kinds.update(counts)

    def _see_list(self, value: list[Any]) -> None:
        if self._elements is None:
            is_list = self._type is not None and pa.types.is_list(self._type)
            self._elements = self._like(self._type.value_field if is_list and self._type else None)
        for item in value:
            self._elements.see(item)

    def result(self, name: str) -> pa.Field | None:
        """The field by the table in the module's docstring; None when nothing was said."""
        own = self._own(name)
        if self._takes_any:
            return self._expected
        judged = judged_field(self._expected, own, self._misfits, self._kinds.total())
        if own is None or judged is own or self._type is None or not self._is_nested:
            return judged
        return self._judged(name, own)

    def _judged(self, name: str, own: pa.Field) -> pa.Field | None:
        """The nested field with each part judged by itself; a value of another kind is rescued."""
        if pa.types.is_map(self._type):
            return self._expected
        is_list = pa.types.is_list(self._type)
        if pa.types.is_list(own.type) == is_list and pa.types.is_nested(own.type):
            return own  # its parts are judged already; again is twice as long at each level
        found = self._list_field(name) if is_list else self._struct_field(name)
        return found or self._expected

    def _own(self, name: str) -> pa.Field | None:
        kinds = frozenset(self._kinds)
        if not kinds:
            return None
        if kinds == {"object"}:
            return self._struct_field(name)
        if kinds == {"list"}:
            return self._list_field(name)
        type_ = scalar_type(kinds)
        if type_ is None:
            return nested_field(name, pa.string(), accepts_any=True)
        return nested_field(name, type_)

    def _struct_field(self, name: str) -> pa.Field | None:
        fields = self.fields()
        return nested_field(name, pa.struct(fields)) if fields else None

    def _list_field(self, name: str) -> pa.Field | None:
        element = None if self._elements is None else self._elements.result("element")
        return None if element is None else nested_field(name, pa.list_(element))

    def fields(self) -> list[pa.Field]:
        """The fields of the objects seen here: the table's in its order, then the new ones."""
        found = {}
        for key, inference in self._fields.items():
            name = self._names[key]
            field = inference.result(name)
            if field is not None:
                found[name] = nested_field(
                    name, field.type, source_name=key, accepts_any=accepts_any(field)
                )
        order = []
        if self._type is not None and pa.types.is_struct(self._type):
            order = [field.name for field in self._type if field.name in found]
        return [found[name] for name in dict.fromkeys([*order, *found])]

    def always_present(self, record_count: int) -> frozenset[str]:
        """Names of the fields that `record_count` objects had, null or not."""
        return frozenset(
            self._names[key] for key, f in self._fields.items() if f.presence == record_count
        )

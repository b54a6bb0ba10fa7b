"""Which Arrow type, as a Parquet file would declare it, an Avro schema stands for.

| Avro | Arrow |
|---|---|
| null, boolean, int, long, float, double, bytes, string | their like |
| enum | string |
| fixed of n bytes | binary(n) |
| record, array, map | struct, list, map of string to its values |
| a logical type | as `avro_logical` has it |
| union of null and one other | the other |
| union of int and long | int64 |
| union of int, float, double | float64 |
| any other union | string: a text as it is, all else as JSON |
| record inside of itself, array of values without bytes | `UnsupportedTypeError` |

The source: https://avro.apache.org/docs/1.12.0/specification/
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import fastavro
import pyarrow as pa

from ingest_assets.errors import UnsupportedTypeError
from ingest_assets.files.reading.avro_logical import AvroType, Convert, logical_type
from ingest_assets.schema.value_text import text_of

_PRIMITIVES: dict[str, tuple[pa.DataType, type]] = {
    "null": (pa.null(), type(None)),
    "boolean": (pa.bool_(), bool),
    "int": (pa.int32(), int),
    "long": (pa.int64(), int),
    "float": (pa.float32(), float),
    "double": (pa.float64(), float),
    "bytes": (pa.binary(), bytes),
    "string": (pa.string(), str),
    "enum": (pa.string(), str),
}


def avro_type(schema: Any) -> AvroType:
    """The type of the records of a JSON schema that is `without_logical_types`.

    Raises:
        UnsupportedTypeError: by the table above; or the schema is not that of a record.
        ValueError, fastavro.schema.SchemaParseException: it is no Avro schema.
    """
    named: dict[str, Any] = {}
    parsed = fastavro.parse_schema(schema, named)
    types = _Types(named)
    found = types.of(parsed, "")
    if not pa.types.is_struct(found.arrow):
        raise UnsupportedTypeError(
            f"Each value of the file is of the type {found.arrow}, and not a record with fields. "
            "Nothing of the file was written. Write the values as the field of a record."
        )
    if _least_bytes(found.arrow) == 0:
        raise _unsupported("", "a record without any byte")
    return replace(found, has_named_branches=types.has_named_branches)


class _Types:
    def __init__(self, named: Mapping[str, Any]) -> None:
        self.has_named_branches = False
        self._named = named
        self._within: list[str] = []

    def of(self, schema: Any, path: str) -> AvroType:
        if isinstance(schema, list):
            return self._union(schema, path)
        if isinstance(schema, str):
            known = self._named.get(schema)
            return AvroType(*_PRIMITIVES[schema]) if known is None else self.of(known, path)
        match schema["type"]:
            case "record" | "error":
                return self._record(schema, path)
            case "array":
                return self._array(schema, path)
            case "map":
                values = self.of(schema["values"], f"{path}{{}}")
                type_ = pa.map_(pa.string(), values.arrow)
                return AvroType(type_, dict, _of_entries(values.convert))
            case "fixed":
                return logical_type(schema) or AvroType(pa.binary(schema["size"]), bytes)
            case str() as name if name in _PRIMITIVES:
                return logical_type(schema) or AvroType(*_PRIMITIVES[name])
            case other:  # a type in a type, or the name of one
                return self.of(other, path)

    def _record(self, schema: Any, path: str) -> AvroType:
        name = schema["name"]
        if name in self._within:
            raise _unsupported(path, f"the record {name!r} inside of itself")
        self._within.append(name)
        fields = {f["name"]: self.of(f["type"], f"{path}.{f['name']}") for f in schema["fields"]}
        self._within.pop()
        type_ = pa.struct([(name, of_field.arrow) for name, of_field in fields.items()])
        converts = {name: f.convert for name, f in fields.items() if f.convert is not None}
        return AvroType(type_, dict, _of_fields(converts))

    def _array(self, schema: Any, path: str) -> AvroType:
        items = self.of(schema["items"], f"{path}[]")
        if _least_bytes(items.arrow) == 0:
            raise _unsupported(path, "an array of values that take no bytes")
        return AvroType(pa.list_(items.arrow), list, _of_items(items.convert))

    def _union(self, schema: list[Any], path: str) -> AvroType:
        branches = [self.of(branch, path) for branch in schema]
        said = [branch for branch in branches if not pa.types.is_null(branch.arrow)]
        if not said:
            return branches[0] if branches else AvroType(*_PRIMITIVES["null"])
        if len(said) == 1:
            return said[0]
        types = {branch.arrow for branch in said}
        if types == {pa.int32(), pa.int64()}:
            return AvroType(pa.int64(), int)
        if types <= {pa.int32(), pa.float32(), pa.float64()}:
            return AvroType(pa.float64(), float, float)
        names = {s["name"]: b for s, b in zip(self._whole(schema), branches, strict=True) if s}
        self.has_named_branches |= len(names) > 1
        return AvroType(pa.string(), object, _text(said, names))

    def _whole(self, schema: list[Any]) -> list[Any]:
        """The definition of each branch that has a name, None for the others."""
        found = [self._named.get(b) if isinstance(b, str) else b for b in schema]
        return [b if isinstance(b, dict) and "name" in b else None for b in found]


def _least_bytes(type_: pa.DataType) -> int:
    """0 for what may be written without a byte."""
    if pa.types.is_struct(type_):
        return max((_least_bytes(field.type) for field in type_), default=0)
    is_nothing = pa.types.is_null(type_) or type_ == pa.binary(0)
    return 0 if is_nothing else 1


def _nullable(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _of_fields(converts: Mapping[str, Convert]) -> Convert | None:
    if not converts:
        return None
    each = [(name, _nullable(convert)) for name, convert in converts.items()]

    def convert(value: dict[str, Any]) -> dict[str, Any]:
        return value | {name: convert(value[name]) for name, convert in each}

    return convert


def _of_items(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    each = _nullable(convert)
    return lambda value: [each(item) for item in value]


def _of_entries(convert: Convert | None) -> Convert:
    if convert is None:
        return lambda value: list(value.items())
    each = _nullable(convert)
    return lambda value: [(key, each(item)) for key, item in value.items()]


def _text(branches: list[AvroType], names: Mapping[str, AvroType]) -> Convert:
    """The text of a value of several types, as a column of its own would have the value."""
    by_type = {branch.python: branch for branch in reversed(branches)}

    def convert(value: Any) -> str:
        if type(value) is tuple:  # where several branches have names, fastavro says which it is
            branch, value = names[value[0]], value[1]
        else:
            branch = by_type[type(value)]
        held = value if branch.convert is None else branch.convert(value)
        try:
            held = pa.scalar(held, branch.arrow).as_py(maps_as_pydicts="strict")
        except (ValueError, OverflowError):  # a moment beyond the years 1 to 9999 is its number
            held = value
        return text_of(held)

    return convert


def _unsupported(path: str, what: str) -> UnsupportedTypeError:
    return UnsupportedTypeError(
        f"The field {path.lstrip('.')!r} has the type {what}, which cannot be read into a table. "
        "Nothing of the file was written. Write it as another type, for example a string of JSON."
    )

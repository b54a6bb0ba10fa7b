"""The `schema` of a declaration: the table's columns, and what becomes of files that differ."""

from typing import Literal

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from ingest_assets.declaration.declared import Declared, refuse_doubles
from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.names import column_name
from ingest_assets.schema.types import format_type, parse_type


class ColumnDeclaration(Declared):
    """A declared column of the table."""

    name: str
    type: str
    required: bool = False
    description: str | None = None

    @field_validator("name")
    @classmethod
    def _table_name(cls, value: str) -> str:
        if value.startswith("_"):
            raise ValueError(
                f"{value!r}: names that begin with _ are the ingestion's own; a field {value!r} of "
                f"the files becomes the column {column_name(value)}"
            )
        _check_name(value)
        return value

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        try:
            type_ = parse_type(value)
        except ValueError as error:
            raise ValueError(f"{error}{_quoting_hint(value)}") from error
        _check_nested(type_, value)
        return value

    @property
    def column(self) -> Column:
        """The column of the table that is declared."""
        return Column(
            self.name,
            parse_type(self.type),
            is_required=self.required,
            description=self.description,
        )


def _check_name(name: str) -> None:
    if name != column_name(name):
        raise ValueError(
            f"{name!r} is not a name of the table's; a field {name!r} of the files becomes the "
            f"column {column_name(name)}"
        )


def _quoting_hint(text: str) -> str:
    """YAML ends a text inside of braces at its first comma."""
    is_cut = any(text.count(opened) > text.count(closed) for opened, closed in ("()", "<>"))
    return "; inside of {} YAML needs quotes around a type with a comma" if is_cut else ""


def _check_nested(type_: pa.DataType, text: str) -> None:
    """Nothing, if the fields of structs have names of the table's, and maps plain keys."""
    if pa.types.is_struct(type_):
        names = [field.name for field in type_]
        for index, name in enumerate(names):
            if name != column_name(name):
                raise ValueError(f"{text!r}: the field {name} should be {column_name(name)}")
            if name in names[:index]:
                raise ValueError(f"{text!r}: has the field {name} twice; leave one out")
    if pa.types.is_map(type_) and pa.types.is_nested(type_.key_type):
        raise ValueError(f"{text!r}: the keys of a map cannot be {format_type(type_.key_type)}")
    if pa.types.is_nested(type_):
        for index in range(type_.num_fields):
            _check_nested(type_.field(index).type, text)


class SchemaRules(Declared):
    """What happens when a file's schema differs from the table's."""

    columns: list[ColumnDeclaration] | None = None
    on_new_column: Literal["merge", "review", "rescue", "ignore"] = "merge"
    on_missing_column: Literal["review", "allow"] = "review"
    on_type_change: Literal["review", "rescue"] = "review"
    optional_columns: list[str] = Field(default_factory=list)

    @field_validator("columns")
    @classmethod
    def _one_of_each(cls, value: list[ColumnDeclaration] | None) -> list[ColumnDeclaration] | None:
        names = [column.name for column in value or ()]
        refuse_doubles(names, names)
        return value

    @field_validator("optional_columns")
    @classmethod
    def _names_of_the_table(cls, value: list[str]) -> list[str]:
        for name in value:
            _check_name(name)
        return value

    @model_validator(mode="after")
    def _not_both(self) -> "SchemaRules":
        for column in self.columns or ():
            if column.required and column.name in self.optional_columns:
                raise ValueError(
                    f"the column {column.name} is required in columns and stands in "
                    "optional_columns; take one of them back"
                )
        return self

    @property
    def declared_columns(self) -> Columns:
        """The columns that are declared, in their order; none where none are."""
        return tuple(column.column for column in self.columns or ())

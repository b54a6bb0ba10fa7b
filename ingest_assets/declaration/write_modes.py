"""The part of a declaration's `table` that says what a batch does to the rows that are there."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from ingest_assets.declaration.declared import Declared, refuse_doubles
from ingest_assets.schema.names import column_name

WriteMode = Literal["append", "overwrite", "merge"]

_OWN_FIELDS = {
    "primary_key": "merge",
    "order_by": "merge",
    "delete_when": "merge",
    "overwrite_scope": "overwrite",
    "overwrite_by": "overwrite",
}
"""The fields that mean something in one mode only."""


class DeleteWhen(Declared):
    """Which rows of a feed of changes say that their key is gone.

    `column` as text is one of `equals`; a truth value is `true` or `false`.
    """

    column: str
    equals: Annotated[list[StrictStr | StrictInt | StrictBool], Field(min_length=1)]

    @property
    def texts(self) -> frozenset[str]:
        """The values as the text that Arrow makes of them."""
        return frozenset(
            str(value).lower() if isinstance(value, bool) else str(value) for value in self.equals
        )


class WriteRules(Declared):
    """What leaves the table when the rows of a batch come."""

    write_mode: WriteMode = "append"
    primary_key: list[str] = Field(default_factory=list)
    order_by: str | None = None
    delete_when: DeleteWhen | None = None
    overwrite_scope: Literal["table", "partitions"] = "table"
    overwrite_by: Literal["file", "folder"] = "file"

    @model_validator(mode="after")
    def _fields_of_the_mode(self) -> Self:
        for name, mode in _OWN_FIELDS.items():
            if self.write_mode == mode or name not in self.model_fields_set:
                continue
            field = type(self).model_fields[name]
            if getattr(self, name) != field.get_default(call_default_factory=True):
                raise ValueError(
                    f"{name} is for write_mode: {mode}, and write_mode is {self.write_mode}; leave "
                    f"it out, or write write_mode: {mode}"
                )
        if self.write_mode == "merge" and not self.primary_key:
            raise ValueError(
                "write_mode: merge needs primary_key, the columns that tell one row from another, "
                "as in primary_key: [order_id]"
            )
        return self

    @model_validator(mode="after")
    def _names_of_the_table(self) -> Self:
        refuse_doubles(self.primary_key, self.primary_key)
        for field, name in self.named_columns:
            if name.startswith("_") or name != column_name(name):
                raise ValueError(
                    f"{field}: {name!r} is not a column that files bring; a field {name!r} of the "
                    f"files becomes the column {column_name(name)}"
                )
        key = set(self.primary_key)
        for field, name in self.named_columns[len(key) :]:
            if name in key:
                raise ValueError(
                    f"{field}: {name} is in primary_key, so it is the same for all rows of a key; "
                    "name another column"
                )
        return self

    @property
    def named_columns(self) -> list[tuple[str, str]]:
        """The fields that name a column and what they name, those of the key first."""
        named = [("primary_key", name) for name in self.primary_key]
        if self.order_by is not None:
            named.append(("order_by", self.order_by))
        if self.delete_when is not None:
            named.append(("delete_when", self.delete_when.column))
        return named

"""What the rest of a declaration says against its `table.write_mode`."""

import pyarrow as pa

from ingest_assets.declaration.schema import SchemaRules
from ingest_assets.declaration.source import OnChangedFile
from ingest_assets.declaration.write_modes import WriteRules
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import format_type


def contradiction(
    rules: WriteRules, schema: SchemaRules, on_changed_file: OnChangedFile, runs: int
) -> str | None:
    """What does not go together, and which of the two to change; None if all does."""
    mode = rules.write_mode
    if mode != "append" and on_changed_file == "append":
        return (
            f"table.write_mode: {mode} does not go with source.on_changed_file: append, which "
            "keeps the rows of earlier contents; write on_changed_file: replace"
        )
    if mode == "overwrite" and runs > 1:
        return (
            "table.write_mode: overwrite needs its batches in the order of arrival; write "
            "batch.max_concurrent_runs: 1"
        )
    for name in rules.primary_key:
        if name in schema.optional_columns:
            return (
                f"schema.optional_columns: {name} is in table.primary_key, which every file has "
                "to have; take it out of one of them"
            )
    return _of_declared(rules, schema.declared_columns) if schema.columns is not None else None


def _of_declared(rules: WriteRules, columns: Columns) -> str | None:
    types = {column.name: column.type for column in columns}
    for field, name in rules.named_columns:
        if name not in types:
            return (
                f"table.{field}: {name} is not among schema.columns; declare it there, or correct "
                f"the name (declared are {', '.join(types)})"
            )
    for name in rules.primary_key:
        if why := why_no_key(types[name]):
            return f"table.primary_key: {name} is declared as {format_type(types[name])}; {why}"
    if rules.order_by is not None and pa.types.is_nested(types[rules.order_by]):
        return f"table.order_by: {rules.order_by} is nested, and has no order"
    return None


def why_no_key(type_: pa.DataType) -> str | None:
    """Why no column of this type tells rows apart; None if one does."""
    if pa.types.is_floating(type_):
        return "a number with a fraction cannot be a key (Iceberg's rule); make it a decimal"
    if pa.types.is_nested(type_):
        return "a nested value cannot be a key; name a column with a plain value"
    return None

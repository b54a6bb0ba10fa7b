"""The `transform` of a declaration: checked from its text, before any file is there."""

from collections.abc import Mapping

from ingest_assets.declaration.schema import SchemaRules
from ingest_assets.declaration.table import Table
from ingest_assets.declaration.table_terms import PartitionTerm, SortTerm
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.reading.reader import Reader
from ingest_assets.files.reading.transformed import TransformedReader
from ingest_assets.transforms.declared_transform import lacking, transform_of
from ingest_assets.transforms.errors import TransformDeclarationError


def checked(text: str | None) -> str | None:
    """The text, if it is a transform.

    Raises:
        ValueError: it is none; the message says where and why.
    """
    if text is not None:
        try:
            transform_of(text)
        except TransformDeclarationError as error:
            raise ValueError(error.problem) from error
    return text


def refuse_what_lacks(text: str, table: Table, rules: SchemaRules) -> None:
    """Nothing, unless the text tells that the result has no column that the table must have.

    Raises:
        ValueError: it does.
    """
    needed = needed_columns(table, rules)
    lacks = lacking(text, list(needed))
    if lacks:
        raise ValueError(
            f"transform: its result has no column {lacks[0]}, which {needed[lacks[0]]} names; "
            "select it too, or leave it out there"
        )


def needed_columns(table: Table, rules: SchemaRules) -> Mapping[str, str]:
    """The columns that rows must have, each with the field of the declaration that says so."""
    needed: dict[str, str] = {}
    for column in rules.declared_columns:
        if column.is_required:
            needed[column.name] = "schema.columns"
    needed |= dict.fromkeys(table.primary_key, "table.primary_key")
    needed |= {SortTerm.parse(term).column: "table.sort_by" for term in table.sort_by}
    needed |= {PartitionTerm.parse(t).column: "table.partition_by" for t in table.partition_by}
    return needed


def through(
    text: str | None, reader: Reader, known: KnownSource | None, rules: SchemaRules
) -> Reader:
    """The reader of a format with the transform behind it; itself where none is declared."""
    if text is None:
        return reader
    may_lack = None if rules.on_missing_column == "allow" else frozenset(rules.optional_columns)
    return TransformedReader(reader, transform_of(text), known or KnownSource(), may_lack)

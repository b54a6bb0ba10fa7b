"""What the wizard shows before it writes: the one place where the preview stands."""

from collections.abc import Iterator

import click

from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.first_look import FirstLook
from ingest_assets.ingestion import Ingestion
from ingest_assets.schema.types import format_type
from ingest_assets.schema.value_text import text_of

_VALUE_LENGTH = 40


def show_preview(_deployment: Deployment, ingestion: Ingestion, look: FirstLook) -> None:
    """What would come of the first files: where they go, and the first rows."""
    click.echo(f"\n{ingestion.source.uri} -> {ingestion.table.identifier}")
    for number, row in enumerate(look.sample, 1):
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in row.items())
        click.echo(f"  row {number}: {shown}")


def column_lines(look: FirstLook) -> Iterator[str]:
    """Each column with its type, and whether every row seen has it."""
    if look.problem:
        yield f"  not read: {look.problem}"
        return
    if not look.columns:
        yield "  no file could be looked into: columns come with the first one"
        return
    yield f"  columns, of {counted(look.rows, 'row')} in {counted(len(look.files), 'file')}:"
    for column in look.columns:
        has = []
        if column.name not in look.always_present:
            has.append("not in every record")
        if column.name not in look.without_nulls:
            has.append("has nulls")
        said = f"  ({', '.join(has)})" if has else ""
        yield f"    {column.name}  {format_type(column.type)}{said}"


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = " ".join(str(value if isinstance(value, str) else text_of(value)).split())
    return text if len(text) <= _VALUE_LENGTH else f"{text[: _VALUE_LENGTH - 1]}…"

"""What the wizard shows of the files, and of what would come of them."""

from collections.abc import Iterator

import click

from ingest_assets.cli.preview_terminal import print_preview
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.first_look import FirstLook
from ingest_assets.engine.preview.preview import preview
from ingest_assets.ingestion import Ingestion
from ingest_assets.schema.types import format_type


def show_preview(deployment: Deployment, ingestion: Ingestion) -> None:
    """What would come of the first files, and what of all of them a month."""
    click.echo()
    print_preview(preview(deployment, ingestion, is_declared=False))
    click.echo()


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

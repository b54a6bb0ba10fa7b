"""`ingest-assets preview`: what would happen to the files of a prefix, before anything does."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click
import yaml

from ingest_assets.cli.main import (
    EXIT_FILES_NEED_ATTENTION,
    EXIT_OUT_OF_REACH,
)
from ingest_assets.cli.preview_terminal import print_preview
from ingest_assets.declaration.declarations import read_file
from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.made_up import made_up_ingestion
from ingest_assets.engine.preview.page import page
from ingest_assets.engine.preview.preview import FILES, MOST_FILES, preview
from ingest_assets.engine.preview.report import Preview
from ingest_assets.errors import DeclarationError
from ingest_assets.files.reading.reader import FormatType
from ingest_assets.ingestion import Ingestion

_MADE_UP = ("connection", "pattern", "format_type", "options", "table")


@click.command()
@click.argument("name", required=False)
@click.option("--uri", help="A prefix that is not declared, as in s3://bucket/prefix/.")
@click.option(
    "--declaration",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A defs.yaml that need not be in INGEST_DEFS; NAME chooses one of several in it.",
)
@click.option("--connection", help="With --uri: a name from connections.yaml.")
@click.option("--pattern", help="With --uri: a glob on the key below the prefix.")
@click.option(
    "--format",
    "format_type",
    type=click.Choice(get_args(FormatType)),
    help="With --uri: what the files are; detected if it is left out.",
)
@click.option("--option", "options", multiple=True, help="With --uri: a format option, k=v.")
@click.option("--table", help="With --uri: namespace.table; raw.<name> if it is left out.")
@click.option("--files", default=FILES, show_default=True, type=click.IntRange(1, MOST_FILES))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, see docs/preview.md.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the report to this file, one page without any network resource.",
)
def command(
    name: str | None,
    uri: str | None,
    declaration: Path | None,
    files: int,
    as_json: bool,
    html: Path | None,
    **made_up: Any,
) -> None:
    """Show what would happen to the files of the ingestion NAME, or of a prefix; write nothing.

    Exit codes: 0 all that was read would come into the table; 1 the source is out of reach; 3 a
    file would not, or nothing would.
    """
    if sum(given is not None for given in (uri, name or declaration)) != 1:
        raise click.UsageError("Name an ingestion, or --declaration FILE, or --uri.")
    if uri is None and any(made_up[field] for field in _MADE_UP):
        raise click.UsageError("--connection, --pattern, --format, --option and --table need --uri")
    deployment = Deployment.from_env()
    if uri is not None:
        found = _of_uri(deployment, uri, files, made_up)
    else:
        ingestion = _declared(deployment, name, declaration)
        is_declared = declaration is None
        found = preview(deployment, ingestion, files=files, is_declared=is_declared)
    if html is not None:
        html.write_text(page(found), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_preview(found)
        if html is not None:
            click.echo(f"\nThe report is in {html}.")
    sys.exit(_exit_code(found))


def _exit_code(found: Preview) -> int:
    if found.connection.refusal is not None:
        return EXIT_OUT_OF_REACH
    return EXIT_FILES_NEED_ATTENTION if found.needs_attention else 0


def _of_uri(deployment: Deployment, uri: str, files: int, made_up: dict[str, Any]) -> Preview:
    connection = made_up.pop("connection") or "default"
    options = _options(made_up.pop("options"))
    ingestion = made_up_ingestion(uri, connection=connection, options=options, **made_up)
    return preview(
        deployment,
        ingestion,
        files=files,
        is_declared=False,
        detects_format=made_up["format_type"] is None,
    )


def _options(texts: Sequence[str]) -> dict[str, Any]:
    """Options as k=v, the value as YAML has it: `header=false`, `delimiter=";"`."""
    found = {}
    for text in texts:
        option, sign, value = text.partition("=")
        if not sign:
            raise click.UsageError(f"--option {text}: write it as k=v, as in header=false")
        try:
            found[option] = yaml.safe_load(value)
        except yaml.YAMLError:
            found[option] = value
    return found


def _declared(deployment: Deployment, name: str | None, path: Path | None) -> Ingestion:
    """The declared ingestion of that name, or the one of the file.

    Raises:
        DeclarationError, UnknownIngestionError: there is none, or it does not hold.
    """
    if path is None:
        return deployment.ingestion(name or "")
    found = [ingestion for ingestion in read_file(path) if name in (None, ingestion.name)]
    if len(found) != 1:
        wanted = f"called {name!r}" if name else "to preview; name one of them"
        raise DeclarationError([f"{path}: has {len(found)} ingestions {wanted}"])
    return found[0]

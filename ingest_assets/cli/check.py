"""`ingest-assets check`: the declarations hold, or every problem is listed."""

import sys
from pathlib import Path

import click

from ingest_assets.cli.main import EXIT_CONFIGURATION, EXIT_OUT_OF_REACH
from ingest_assets.cost.prices import PricesFileError, load_prices, prices_path
from ingest_assets.declaration.declarations import read_declarations
from ingest_assets.declaration.source import Source
from ingest_assets.errors import ServiceError
from ingest_assets.files.connections import load_connections
from ingest_assets.files.notifications.queue import Queue
from ingest_assets.files.pattern import matcher
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Declaration
from ingest_assets.settings import Settings


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--connect",
    is_flag=True,
    help="Also look into each source, try its queue, and ask the ledger what may change.",
)
def command(folder: Path | None, connect: bool) -> None:
    """Validate every defs.yaml below FOLDER (by default INGEST_DEFS), without any service.

    All problems are printed at once, each with its file, its field, and what would be right.
    """
    settings = Settings.from_env()
    folder = folder or settings.defs
    declarations, problems = read_declarations(folder)
    _exit_with([*problems, *_prices(folder)], folder, EXIT_CONFIGURATION)
    if connect:
        # Here, because ledger and catalog take as long to import as all the rest.
        from ingest_assets.cli.check_ledger import changed

        _exit_with(changed(settings, declarations), folder, EXIT_CONFIGURATION)
        _exit_with(_connect(folder, settings, declarations), folder, EXIT_OUT_OF_REACH)
    for declaration in declarations:
        ingestion = declaration.ingestion
        click.echo(f"{ingestion.name}: {ingestion.source.uri} -> {ingestion.table.identifier}")
    if not declarations:
        click.echo(
            f"No defs.yaml was found below {folder}. INGEST_DEFS, or the argument, should name the "
            "folder that has <any folder>/defs.yaml.",
            err=True,
        )
    hold = "declaration holds" if len(declarations) == 1 else "declarations hold"
    click.echo(f"{len(declarations)} {hold} in {folder}")


def _exit_with(problems: list[str], folder: Path, code: int) -> None:
    if not problems:
        return
    for problem in problems:
        click.echo(problem, err=True)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    click.echo(f"{count} in {folder}", err=True)
    sys.exit(code)


def _prices(folder: Path) -> list[str]:
    """What is wrong with the price table that counts for the folder."""
    try:
        load_prices(prices_path(folder))
    except PricesFileError as error:
        return [str(error)]
    return []


def _connect(folder: Path, settings: Settings, declarations: list[Declaration]) -> list[str]:
    """What the sources that do not answer say of it; of those with no files there is a warning."""
    connections = load_connections(folder)
    problems = []
    for declaration in declarations:
        source = declaration.ingestion.source
        connection = connections[source.connection]
        store = SourceStore(source, connection, settings.home / "spool")
        try:
            if source.discovery.queue_url is not None:
                Queue(source.discovery.queue_url, connection).check()
            warning = _warning(source, [file.key for file in store.check()])
        except ServiceError as error:
            problems.append(f"{declaration.path}: attributes.source: {error}")
        else:
            if warning:
                click.echo(f"Warning: {declaration.path}: attributes.source.{warning}", err=True)
    return problems


def _warning(source: Source, keys: list[str]) -> str | None:
    """Why there is nothing to ingest, as far as these keys tell."""
    if not keys:
        return f"uri: nothing is under {source.uri_of('')} yet"
    if any(map(matcher(source.pattern), keys)):
        return None
    return (
        f"pattern: {source.pattern!r} matches none of the {len(keys)} files that were looked at "
        f"under {source.uri_of('')}, such as {keys[0]!r}"
    )

"""`ingest-assets new`: asks what an ingestion needs, and writes its declaration."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from ingest_assets.cli.new_dialogue import Dialogue
from ingest_assets.cli.new_preview import show_preview
from ingest_assets.cli.new_source import FORMATS, Wizard, ask_format, ask_source
from ingest_assets.cli.new_table import MODES, ask_quality, ask_schema, ask_table, ask_trigger
from ingest_assets.declaration.declarations import FILE_NAME, read_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.made_up import name_of
from ingest_assets.errors import ConfigurationError, DeclarationError
from ingest_assets.ingestion import Declaration, Ingestion, problems_of
from ingest_assets.wizard.answers import answers_of, attributes_of
from ingest_assets.wizard.declaration_text import declaration_text
from ingest_assets.wizard.templates import TEMPLATES

_OPTIONS: dict[str, tuple[str, Any]] = {
    "source.uri": ("--uri", str),
    "source.connection": ("--connection", str),
    "source.pattern": ("--pattern", str),
    "format.type": ("--format", click.Choice(FORMATS)),
    "schema.on_new_column": ("--on-new-column", str),
    "schema.on_missing_column": ("--on-missing-column", str),
    "schema.on_type_change": ("--on-type-change", str),
    "table.identifier": ("--table", str),
    "table.partition_by": ("--partition-by", str),
    "discovery.mode": ("--discovery", click.Choice(MODES)),
    "discovery.queue_url": ("--queue-url", str),
    "discovery.interval_seconds": ("--interval", str),
    "schedule.cron": ("--cron", str),
    "schedule.timezone": ("--timezone", str),
    "description": ("--description", str),
}
"""The option that answers each question."""


def _answering(command: Any) -> Any:
    for field, (option, kind) in reversed(_OPTIONS.items()):
        command = click.option(option, field.replace(".", "__"), type=kind, help=f"{field}.")(
            command
        )
    return command


@click.command()
@click.argument("name", required=False)
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="Defaults for a common case.")
@click.option(
    "--yes", "--defaults", "-y", "yes", is_flag=True, help="Ask nothing: options, else defaults."
)
@_answering
@click.option("--option", "pairs", multiple=True, metavar="NAME=VALUE", help="format.options.")
@click.option("--quality/--no-quality", default=None, help="Rules that hold for the files seen.")
@click.option("--connect/--no-connect", default=True, help="Look at the source, or do not.")
@click.option("--overwrite", is_flag=True, help="In place of a declaration that there is.")
def command(
    name: str | None,
    template: str | None,
    yes: bool,
    pairs: tuple[str, ...],
    quality: bool | None,
    connect: bool,
    overwrite: bool,
    **given: str | None,
) -> None:
    """Ask what an ingestion needs, look at its first files, and write <INGEST_DEFS>/NAME/defs.yaml.

    Each question has a default, taken with Enter, but the address of the files. Ctrl-C at any
    question leaves nothing behind. With --yes nothing is asked, and --uri is needed.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on. Add --yes and the answers.")
    answered: dict[str, Any] = {
        place.replace("__", "."): said for place, said in given.items() if said is not None
    }
    if pairs:
        answered["format.options"] = _options(pairs)
    if quality is not None:
        answered["quality"] = quality
    deployment = Deployment.from_env()
    if not os.environ.get("INGEST_DEFS"):
        click.echo(f"INGEST_DEFS is not set: declarations are in {deployment.settings.defs}")
    dialogue = Dialogue(answered, {f: option for f, (option, _) in _OPTIONS.items()}, not yes)
    wizard = Wizard(deployment, dialogue, {}, connects=connect)
    made_by = "`ingest-assets new`"
    if template is not None:
        wizard.defaults = dict(TEMPLATES[template].answers)
        made_by += f" (template {template})"
        click.echo(f"{template}: {TEMPLATES[template].meaning}")
    declared, problems = read_declarations(deployment.settings.defs)
    before = _begin(wizard, name, declared, overwrite=overwrite)
    _ask(wizard, _taken(declared, before))
    ingestion, text = _made(wizard, made_by)
    path = deployment.settings.defs / (before.path if before else f"{ingestion.name}/{FILE_NAME}")
    if wizard.connects:
        show_preview(deployment, ingestion)
    if not dialogue.confirm("write", f"Write {path}?", default=True):
        click.echo("Nothing was written.")
        return
    with _written(path, text):
        _, found = read_declarations(deployment.settings.defs)
        if new := [problem for problem in found if problem not in problems]:
            raise DeclarationError(new)
    _say_next(path, ingestion.name, "schedule" if ingestion.schedule else "sensor")


def _taken(declared: list[Declaration], before: Declaration | None) -> dict[str, str]:
    """The tables that other declarations have, and where those stand."""
    others = [one for one in declared if before is None or one.path != before.path]
    return {one.ingestion.table.identifier: one.path for one in others}


def _options(pairs: tuple[str, ...]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    for name, sign, _ in split:
        if not name or not sign:
            raise click.UsageError(f"--option {name!r} should be NAME=VALUE")
    return {name: value for name, _, value in split}


def _begin(
    wizard: Wizard, name: str | None, declared: list[Declaration], *, overwrite: bool
) -> Declaration | None:
    """The source and the name are known; the declaration that is to be written over, or None.

    Raises:
        ConfigurationError: the name is taken, and nobody said that it may be written over.
    """
    by_name = {one.ingestion.name: one for one in declared}
    before = None if name is None else _may_overwrite(wizard, by_name, name, overwrite=overwrite)
    if before is not None:
        wizard.defaults |= answers_of(before.ingestion)
        wizard.answers |= answers_of(before.ingestion)
    if name is not None:
        wizard.answers["name"] = _checked_name(wizard, name)
    ask_source(wizard)
    while "name" not in wizard.answers:
        default = name_of(wizard.answers["source.uri"])
        said = wizard.dialogue.ask("name", "Name of the ingestion", default, wizard.held("name"))
        before = _may_overwrite(wizard, by_name, said, overwrite=overwrite, asks_again=True)
        if before is not None or said not in by_name:
            wizard.answers = {"name": said, **wizard.answers}
    return before


def _checked_name(wizard: Wizard, name: str) -> str:
    try:
        return str(wizard.held("name")(name))
    except ValueError as error:
        raise click.UsageError(f"NAME: {error}") from error


def _may_overwrite(
    wizard: Wizard,
    by_name: dict[str, Declaration],
    name: str,
    *,
    overwrite: bool,
    asks_again: bool = False,
) -> Declaration | None:
    """The declaration of that name, if it may be written over; None if there is none.

    With `asks_again` also None if it may not be.

    Raises:
        ConfigurationError: there is one and it may not.
    """
    before = by_name.get(name)
    if before is None:
        return None
    if sum(one.path == before.path for one in by_name.values()) > 1:
        raise ConfigurationError(
            f"{name} is declared in {before.path}, where others stand too. Nothing was written. "
            "Change it there, or take another name."
        )
    question = f"{name} is declared in {before.path}. Write over it?"
    if overwrite or (wizard.dialogue.asks and click.confirm(question, default=False)):
        return before
    if asks_again and wizard.dialogue.asks:
        return None
    raise ConfigurationError(
        f"{name} is declared in {before.path} already. Nothing was written. Take another name, or "
        "add --overwrite."
    )


def _ask(wizard: Wizard, taken: dict[str, str]) -> None:
    ask_format(wizard)
    ask_schema(wizard)
    ask_table(wizard, taken)
    ask_trigger(wizard)
    ask_quality(wizard)
    if "description" in wizard.dialogue.given:
        wizard.answers["description"] = wizard.dialogue.given["description"]


def _made(wizard: Wizard, made_by: str) -> tuple[Ingestion, str]:
    """The ingestion that the answers make, and the text of its file.

    Raises:
        DeclarationError: the answers do not hold together.
    """
    answers = dict(wizard.answers)
    for field in ("format.options", "table.partition_by"):
        answers[field] = answers.get(field) or None
    attributes = attributes_of(answers)
    ingestion, problems = problems_of("the answers", attributes)
    if ingestion is None:
        raise DeclarationError(problems)
    return ingestion, declaration_text(attributes, made_by)


@contextmanager
def _written(path: Path, text: str) -> Iterator[None]:
    """The file has the text; if what is done inside fails, all is as it was before."""
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    earlier = path.read_bytes() if path.exists() else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        yield
    except BaseException:
        if earlier is None:
            path.unlink(missing_ok=True)
            for folder in missing:
                with suppress(OSError):
                    folder.rmdir()
        else:
            path.write_bytes(earlier)
        raise


def _say_next(path: Path, name: str, trigger: str) -> None:
    click.echo(f"Written: {path}\n  ingest-assets run {name}  ingests what is there")
    click.echo(f"  ingest-assets dev  opens the UI; under Automation, switch on {name}_{trigger}")

"""The wizard's questions about the source and the format, and the connection test."""

from dataclasses import dataclass, field
from typing import Any, get_args

import click

from ingest_assets.cli.new_dialogue import Dialogue
from ingest_assets.declaration.source import Format, Source
from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_text import counted
from ingest_assets.engine.first_look import FirstLook, Listed, listed, look
from ingest_assets.errors import ConnectionsFileError, IngestError
from ingest_assets.files.buckets import bucket_names
from ingest_assets.files.reading.reader import FormatType
from ingest_assets.wizard.answers import one_of, problem_of

FORMATS: tuple[str, ...] = get_args(FormatType)
_SHOWN = 3


@dataclass
class Wizard:
    """What is known so far. `defaults`: by field, of a template or of a declaration there is."""

    deployment: Deployment
    dialogue: Dialogue
    defaults: dict[str, Any]
    answers: dict[str, Any] = field(default_factory=dict)
    found: Listed | None = None
    look: FirstLook = field(default_factory=FirstLook)
    connects: bool = True

    def ask(self, place: str, question: str, default: str | None, **how: Any) -> Any:
        """The answer, which stays with the others; a default of before or of a template first."""
        known = self.defaults.get(place)
        found = self.dialogue.ask(
            place, question, known if isinstance(known, str) else default, **how
        )
        self.answers[place] = found
        return found

    def held(self, place: str, **others: Any) -> Any:
        """A parser that lets through what the declaration can have there."""

        def parse(text: str) -> str:
            problem = problem_of(place, text.strip(), **others)
            if problem is not None:
                raise ValueError(problem)
            return text.strip()

        return parse


def ask_source(wizard: Wizard) -> None:
    """Address, connection and pattern are known, and the store answered.

    Raises:
        IngestError: nobody is asked, and it did not.
    """
    default = _address(wizard)
    known = tuple(sorted(wizard.deployment.connections))
    while True:
        uri = wizard.ask(
            "source.uri",
            "Where are the files? s3://bucket/prefix/ (also gs://, az://, file://)",
            default,
            parse=wizard.held("source.uri"),
        )
        wizard.ask(
            "source.connection",
            "Connection, of connections.yaml; default is the standard AWS chain",
            "default",
            parse=lambda text: one_of_connections(text, known),
            known=known if len(known) > 1 else (),
        )
        if not wizard.connects or _is_connected(wizard):
            break
        wizard.dialogue = wizard.dialogue.without("source.uri", "source.connection")
        wizard.defaults.pop("source.uri", None)
        default = None if uri == default else default  # Enter alone would ask for ever
    _ask_pattern(wizard)


def one_of_connections(text: str, known: tuple[str, ...]) -> str:
    """The name of a connection.

    Raises:
        ValueError: there is none.
    """
    if text.strip() not in known:
        raise ValueError(f"{text!r} is not in connections.yaml, which has {', '.join(known)}")
    return text.strip()


def _address(wizard: Wizard) -> str | None:
    """What may be offered: what was declared, or what is below the first bucket there is."""
    known = wizard.defaults.get("source.uri")
    is_pattern = isinstance(known, str) and "{bucket}" in known
    if known and not is_pattern:
        return str(known)
    wizard.defaults.pop("source.uri", None)
    if not wizard.connects or not wizard.dialogue.asks:
        return None
    deployment = wizard.deployment
    buckets = bucket_names(deployment.connections["default"], deployment.s3_clients)
    if not buckets:
        return None
    click.echo(f"Buckets: {', '.join(buckets[:10])}{' …' if len(buckets) > 10 else ''}")
    return str(known).format(bucket=buckets[0]) if is_pattern else f"s3://{buckets[0]}/"


def _is_connected(wizard: Wizard) -> bool:
    """The store gave a listing, and what is there was said; else why it did not.

    A person may keep an address that does not answer yet.

    Raises:
        IngestError: it did not, and nobody is asked.
    """
    source = Source(uri=wizard.answers["source.uri"])
    connection = wizard.deployment.connections[wizard.answers["source.connection"]]
    click.echo(f"Looking under {source.uri_of('')} …")
    try:
        wizard.found = listed(wizard.deployment, source, connection)
    except ConnectionsFileError:
        raise
    except IngestError as error:
        if not wizard.dialogue.asks:
            raise
        click.echo(f"  {error}")
        return click.confirm("Keep this address all the same?", default=False)
    files = wizard.found.files
    if not files:
        click.echo("  It answers, and nothing is there yet.")
        return True
    more = "at least " if wizard.found.is_cut else ""
    size = sum(file.size_bytes for file in files)
    names = ", ".join(file.key for file in files[:_SHOWN])
    click.echo(f"  It answers: {more}{counted(len(files), 'file')}, {size:,} bytes; {names}")
    return True


def _ask_pattern(wizard: Wizard) -> None:
    default = wizard.defaults.get("source.pattern", "**/*")
    if wizard.found is not None and wizard.found.files and not wizard.found.matching(default):
        click.echo(f"  {default} matches none of them.")
        default = wizard.defaults["source.pattern"] = "**/*"
    pattern = wizard.ask(
        "source.pattern",
        "Which of them? A glob on the key below the prefix",
        default,
        parse=wizard.held("source.pattern"),
    )
    if wizard.found is not None and wizard.found.files:
        matching = len(wizard.found.matching(pattern))
        click.echo(f"  {matching} of the {len(wizard.found.files)} files seen match.")


def ask_format(wizard: Wizard) -> None:
    """Format and options are known, and the first files were read so, if any can be."""
    seen = _look(wizard, None)
    detected = seen.format_type
    if detected:
        click.echo(f"  {seen.files[0].key} looks like {detected}.")
    known = wizard.defaults.get("format.type")
    if detected and known and detected != known:
        click.echo(f"  Expected was {known}.")
        wizard.defaults["format.type"] = detected
    if not (detected or known):
        click.echo("  No file says what its format is.")
    type_ = wizard.ask(
        "format.type", "Format", detected or "json", parse=_format_type, known=FORMATS
    )
    options = dict(wizard.defaults.get("format.options") or {}) if type_ == known else {}
    if type_ == "json" and "record_path" not in options and seen.record_path:
        options["record_path"] = seen.record_path
    wizard.answers["format.options"] = _options(wizard, type_, options)
    format_ = Format(type=type_, options=wizard.answers["format.options"])
    wizard.look = _look(wizard, format_)


def _format_type(text: str) -> str:
    return one_of(text, FORMATS)


def _options(wizard: Wizard, type_: str, options: dict[str, Any]) -> dict[str, Any]:
    if "format.options" in wizard.dialogue.given:
        options = dict(wizard.dialogue.given["format.options"])
        problem = problem_of("format.options", options, **{"format.type": type_})
        if problem is not None:
            raise click.UsageError(f"--option: {problem}")
    elif type_ == "json":
        path = wizard.dialogue.ask(
            "format.record_path",
            "Keys that lead to an array of records inside of each file, as in Records; - for none",
            str(options.get("record_path") or "-"),
            parse=_record_path,
        )
        options.pop("record_path", None)
        if path:
            options["record_path"] = path
    return options


def _record_path(text: str) -> str:
    path = "" if text.strip() == "-" else text.strip()
    problem = problem_of("format.options", {"record_path": path}) if path else None
    if problem is not None:
        raise ValueError(problem)
    return path


def _look(wizard: Wizard, format_: Format | None) -> FirstLook:
    if wizard.found is None:
        return FirstLook()
    source = Source(uri=wizard.answers["source.uri"])
    connection = wizard.deployment.connections[wizard.answers["source.connection"]]
    files = wizard.found.matching(wizard.answers["source.pattern"])
    return look(wizard.deployment, source, connection, files, format_)

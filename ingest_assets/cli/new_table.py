"""The wizard's questions about schema, table, trigger and quality."""

from typing import Any, get_args

import click

from ingest_assets.cli.new_preview import column_lines
from ingest_assets.cli.new_source import Wizard
from ingest_assets.declaration.schema import SchemaRules
from ingest_assets.declaration.table_terms import PartitionTerm
from ingest_assets.wizard import suggestions
from ingest_assets.wizard.answers import one_of, problem_of, terms

_RULES = (
    ("on_new_column", "A field that the table lacks", "merge"),
    ("on_missing_column", "A file that lacks a required column", "review"),
    ("on_type_change", "A column most of whose values have another type", "review"),
)
MODES = ("listing", "notifications", "both")


def ask_schema(wizard: Wizard) -> None:
    """What becomes of files that differ is known; the columns were shown."""
    for line in column_lines(wizard.look):
        click.echo(line)
    for name, question, default in _RULES:
        known = get_args(SchemaRules.model_fields[name].annotation)
        wizard.ask(
            f"schema.{name}",
            question,
            default,
            parse=lambda text, known=known: one_of(text, known),
            known=known,
        )


def ask_table(wizard: Wizard, taken: dict[str, str]) -> None:
    """Identifier and partitions are known; `taken`: tables that others declare, and where."""
    name = wizard.answers["name"]

    def free(text: str) -> str:
        identifier = str(wizard.held("table.identifier")(text))
        if identifier in taken:
            raise ValueError(f"{identifier!r} is declared by {taken[identifier]} already")
        return identifier

    wizard.ask("table.identifier", "Table, as namespace.table", f"raw.{name}", parse=free)
    known = wizard.defaults.pop("table.partition_by", None)
    proposed = suggestions.partition_by(wizard.look) if known is None else known
    columns = {column.name for column in wizard.look.columns}

    def partitions(text: str) -> list[str]:
        wanted = terms(text)
        problem = problem_of("table.partition_by", wanted)
        if problem is not None:
            raise ValueError(problem)
        for term in wanted if columns else ():
            column = PartitionTerm.parse(term).column
            if column not in columns:
                raise ValueError(f"no file that was seen has a column {column}")
        return wanted

    if columns:
        proposed = [t for t in proposed if PartitionTerm.parse(t).column in columns]
    wizard.ask(
        "table.partition_by",
        "Partitions, as in day(ordered_at), region; - for none",
        ", ".join(proposed) or "-",
        parse=partitions,
    )


def ask_trigger(wizard: Wizard) -> None:
    """Who looks for files and how often is known."""
    before = wizard.defaults.get("schedule")
    default = "cron" if before else wizard.defaults.get("trigger", "sensor")
    given = wizard.dialogue.given
    if "schedule.cron" in given:
        default = "cron"
    trigger = wizard.dialogue.ask(
        "trigger",
        "When are files looked for? All the time by a sensor, or by the clock",
        default,
        parse=lambda text: one_of(text, ("sensor", "cron")),
        known=("sensor", "cron"),
    )
    wizard.answers["source.discovery"] = _discovery(wizard, asks_interval=trigger == "sensor")
    wizard.answers["schedule"] = _schedule(wizard, before or {}) if trigger == "cron" else None


def _schedule(wizard: Wizard, before: dict[str, Any]) -> dict[str, str]:
    def cron(text: str) -> str:
        return _part("schedule", {"cron": text.strip()}, "cron", text)

    def zone(text: str) -> str:
        return _part("schedule", {"cron": "0 2 * * *", "timezone": text.strip()}, "timezone", text)

    default = before.get("cron") or wizard.defaults.get("schedule.cron", "0 2 * * *")
    said = wizard.dialogue.ask(
        "schedule.cron", "Cron line: minute hour day month weekday", default, parse=cron
    )
    timezone = wizard.dialogue.ask(
        "schedule.timezone", "Its time zone", before.get("timezone", "UTC"), parse=zone
    )
    return {"cron": said, "timezone": timezone}


def _part(place: str, value: dict[str, Any], name: str, text: str) -> str:
    problem = problem_of(place, value)
    if problem is not None:
        raise ValueError(problem.removeprefix(f"{place}.{name}: "))
    return text.strip()


def _discovery(wizard: Wizard, *, asks_interval: bool) -> dict[str, Any]:
    before = wizard.defaults.get("source.discovery") or {}
    found: dict[str, Any] = {}
    is_s3 = wizard.answers["source.uri"].startswith("s3://")
    mode = before.get("mode", "listing")
    if is_s3:
        mode = wizard.dialogue.ask(
            "discovery.mode",
            "How? By listing the prefix, by the bucket's notifications in an SQS queue, or both",
            mode,
            parse=lambda text: one_of(text, MODES),
            known=MODES,
        )
    found["mode"] = mode
    if mode != "listing":

        def queue(text: str) -> str:
            return _part(
                "source.discovery", {**found, "queue_url": text.strip()}, "queue_url", text
            )

        found["queue_url"] = wizard.dialogue.ask(
            "discovery.queue_url",
            "URL of the queue (`ingest-assets setup-notifications` makes one)",
            before.get("queue_url"),
            parse=queue,
        )
    if asks_interval:
        default = before.get("interval_seconds", 30 if mode == "listing" else 2)
        found["interval_seconds"] = wizard.dialogue.ask(
            "discovery.interval_seconds",
            "Every how many seconds?",
            str(default),
            parse=_seconds,
        )
    return found


def _seconds(text: str) -> int:
    problem = problem_of("source.discovery", {"interval_seconds": text.strip()})
    if problem is not None:
        raise ValueError("should be a whole number of seconds, 1 or more")
    return int(text)


def ask_quality(wizard: Wizard) -> None:
    """The rules that somebody wants, of those that hold for the files seen.

    Those of a declaration that there is stay. A kind of rule that declarations cannot have is not
    offered.
    """
    rules = list(wizard.defaults.get("quality") or [])
    if not rules and wizard.dialogue.given.get("quality") is not False:
        proposed = suggestions.quality_rules(wizard.look)
        rules += _row_count(wizard, proposed["row_count"])
        for kind, question in (
            ("not_null", "Columns that must not be null"),
            ("unique", "Columns of which no two rows may have the same values"),
        ):
            rules += _columns_rule(wizard, kind, question, proposed[kind])
    wizard.answers["quality"] = rules or None


def _row_count(wizard: Wizard, proposed: list[Any]) -> list[dict[str, Any]]:
    rules = [{"row_count": value} for value in proposed]
    if not rules or problem_of("quality", rules) is not None:
        return []
    question = "Check that each file has at least one row?"
    return rules if wizard.dialogue.confirm("quality", question, default=True) else []


def _columns_rule(
    wizard: Wizard, kind: str, question: str, proposed: list[str]
) -> list[dict[str, Any]]:
    if not proposed or problem_of("quality", [{kind: proposed}]) is not None:
        return []

    def columns(text: str) -> list[str]:
        wanted = terms(text)
        unknown = [name for name in wanted if name not in {c.name for c in wizard.look.columns}]
        if unknown:
            raise ValueError(f"no file that was seen has a column {unknown[0]}")
        return wanted

    wanted = wizard.dialogue.ask(
        f"quality.{kind}", f"{question}; - for none", ", ".join(proposed), parse=columns
    )
    return [{kind: wanted}] if wanted else []

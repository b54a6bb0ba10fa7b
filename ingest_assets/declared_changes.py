"""What may change in a declaration, field by field, and what becomes of a change.

One table of rules: `changes` compares by it, the engine refuses by it, and docs/declaration.md
shows it. A field that no rule names goes by the rule of what it is part of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingest_assets.errors import ConfigurationError
from ingest_assets.ingestion import Ingestion


class Effect(StrEnum):
    """What a changed field does to an ingestion of which rows are in the table."""

    AT_ONCE = "in place, at once"
    LATER_FILES = "in place, for files read from now on"
    JUDGED = "judged"
    NEW_TABLE = "needs a new table"
    OTHER = "another ingestion"


class NewTableNeededError(ConfigurationError):
    """Fields of the declaration changed that the table was made by; nothing was read."""

    def __init__(self, message: str, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(message)


@dataclass(frozen=True)
class Rule:
    """`said` is what happens, for the docs. `left_open`: empty leaves it to the table."""

    field: str
    effect: Effect
    said: str
    left_open: bool = False


@dataclass(frozen=True)
class FieldChange:
    """A field whose value is another than when the declaration was last applied."""

    rule: Rule
    before: Any
    after: Any

    @property
    def is_refused(self) -> bool:
        """Not without a new table."""
        return self.rule.effect is Effect.NEW_TABLE


_AGAIN = (
    "earlier files stay as they were read; `ingest-assets replay NAME --status SUCCESS` reads them "
    "again"
)

RULES: tuple[Rule, ...] = (
    Rule("name", Effect.OTHER, "the old one goes on being known; the new one has no files yet"),
    Rule("description", Effect.AT_ONCE, "shown once the code location is loaded again"),
    Rule("owners", Effect.AT_ONCE, "shown once the code location is loaded again"),
    Rule(
        "source.uri",
        Effect.JUDGED,
        "taken, unless files of the table would be read again under other keys: then ticks and "
        "runs refuse it and name such a file",
    ),
    Rule(
        "source.connection", Effect.AT_ONCE, "the next tick lists once, also where there is a queue"
    ),
    Rule(
        "source.pattern",
        Effect.AT_ONCE,
        "files that wait and are left out become SKIPPED, and come back when the pattern has them; "
        "what is in the table stays",
    ),
    Rule(
        "source.discovery",
        Effect.AT_ONCE,
        "the sensor's interval once the code location is loaded again",
    ),
    Rule("source.start", Effect.LATER_FILES, "for files that are found from now on"),
    Rule("source.settle_seconds", Effect.AT_ONCE, "also for files that wait"),
    Rule("source.on_changed_file", Effect.AT_ONCE, "see [files that change](#files-that-change)"),
    Rule("source.max_file_bytes", Effect.LATER_FILES, _AGAIN),
    Rule("source.after_success", Effect.AT_ONCE, "also for files that are in the table already"),
    Rule("format", Effect.LATER_FILES, _AGAIN),
    Rule("max_rejected_ratio", Effect.LATER_FILES, _AGAIN),
    Rule(
        "schema.columns",
        Effect.JUDGED,
        "what Iceberg can do in place is applied; else nothing is, and a PENDING version waits for "
        "a decision: see [declared columns](#declared-columns)",
    ),
    Rule(
        "schema.optional_columns",
        Effect.JUDGED,
        "a version of the schema, as for schema.columns",
    ),
    Rule(
        "schema",
        Effect.LATER_FILES,
        "parked files are judged anew by `ingest-assets replay NAME --status PARKED`",
    ),
    Rule(
        "table.identifier",
        Effect.NEW_TABLE,
        "refused by ticks and runs: nothing is read",
    ),
    Rule("table.write_mode", Effect.NEW_TABLE, "refused by ticks and runs: nothing is read"),
    Rule("table.primary_key", Effect.NEW_TABLE, "refused by ticks and runs: nothing is read"),
    Rule(
        "table.order_by", Effect.LATER_FILES, "rows that are merged from now on are compared by it"
    ),
    Rule(
        "table.partition_by",
        Effect.NEW_TABLE,
        "refused by ticks and runs: nothing is read. Left out, it is the table's own",
        left_open=True,
    ),
    Rule(
        "table.sort_by",
        Effect.NEW_TABLE,
        "refused by ticks and runs: nothing is read. Left out, it is the table's own",
        left_open=True,
    ),
    Rule(
        "table.properties", Effect.AT_ONCE, "set by the next commit; one that is left out stays set"
    ),
    Rule("table", Effect.LATER_FILES, "as the page of the field says"),
    Rule("transform", Effect.LATER_FILES, _AGAIN),
    Rule("quality", Effect.LATER_FILES, _AGAIN),
    Rule("batch", Effect.AT_ONCE, "for batches that are planned from now on"),
    Rule("engine", Effect.AT_ONCE, "for batches that begin from now on"),
    Rule(
        "schedule",
        Effect.AT_ONCE,
        "the new trigger, which is off, once the code location is loaded again",
    ),
    Rule("retries", Effect.AT_ONCE, "for tries that fail from now on"),
    Rule(
        "dead_letter", Effect.AT_ONCE, "for copies from now on; folders of before are never listed"
    ),
    Rule("retain_partitions_days", Effect.AT_ONCE, "partitions that left do not come back by it"),
    Rule("max_live_partitions", Effect.AT_ONCE, "partitions that left do not come back by it"),
    Rule("alerts", Effect.AT_ONCE, "a channel is told of what happens from now on"),
)


def rule_of(field: str) -> Rule | None:
    """The rule of a field, or of the nearest field that it is part of."""
    for end in range(field.count("."), -1, -1):
        place = ".".join(field.split(".")[: end + 1])
        found = next((rule for rule in RULES if rule.field == place), None)
        if found is not None:
            return found
    return None


def as_applied(ingestion: Ingestion) -> dict[str, Any]:
    """The declaration as the ledger keeps it: JSON, with every field."""
    return ingestion.model_dump(mode="json", by_alias=True)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """What differs, in the order of the rules; both as `as_applied` has them.

    A field that one of them lacks is one that its release did not have, and is no change. So is one
    that is left open on either side: the table itself is asked then.
    """
    found = []
    for rule in RULES:
        was, now = _own_part(before, rule), _own_part(after, rule)
        if was == now or was is _ABSENT or now is _ABSENT:
            continue
        if rule.left_open and not now:
            continue
        if rule.field == "table.partition_by" and not was:
            continue
        found.append(FieldChange(rule, was, now))
    return found


def kept(before: Mapping[str, Any] | None, after: dict[str, Any]) -> dict[str, Any]:
    """What the ledger is to keep: what is left open stays as it was last said."""
    for rule in RULES:
        was = _ABSENT if before is None else _value(before, rule.field)
        if rule.left_open and was is not _ABSENT and not _value(after, rule.field):
            section, _, name = rule.field.rpartition(".")
            after = {**after, section: {**after[section], name: was}}
    return after


def refusal(name: str, table: str, refused: Sequence[FieldChange]) -> NewTableNeededError:
    """The error for changes that need a new table."""
    said = "; ".join(
        f"{change.rule.field} was {_shown(change.before)} when {table} was made and is "
        f"{_shown(change.after)} now"
        for change in refused
    )
    fields = [change.rule.field for change in refused]
    verb = "needs" if len(fields) == 1 else "need"
    return NewTableNeededError(
        f"The declaration of {name} changed in what {verb} a new table: {said}. Nothing was "
        f"discovered, read or written. Put {' and '.join(fields)} back, or declare another "
        "ingestion with a name and a table.identifier of its own (`ingest-assets new`); "
        f"`ingest-assets delete {name}` retires the old one.",
        fields,
    )


def changes_line(found: Sequence[FieldChange]) -> str:
    """In one line what changed and when it takes effect."""
    parts = [f"{change.rule.field} ({change.rule.effect})" for change in found]
    return f"the declaration changed: {', '.join(parts)}"


def docs_table() -> list[str]:
    """The lines of the table in docs/declaration.md."""
    lines = ["| field | a change is | what happens |", "|---|---|---|"]
    return lines + [f"| `{rule.field}` | {rule.effect} | {rule.said} |" for rule in RULES]


_ABSENT = object()


def _own_part(declared: Mapping[str, Any], rule: Rule) -> Any:
    """The value of the rule's field, without the parts that have rules of their own."""
    value = _value(declared, rule.field)
    begin = f"{rule.field}."
    own = {other.field.removeprefix(begin) for other in RULES if other.field.startswith(begin)}
    if own and isinstance(value, Mapping):
        return {name: part for name, part in value.items() if name not in own}
    return value


def _value(declared: Mapping[str, Any], field: str) -> Any:
    value: Any = declared
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)

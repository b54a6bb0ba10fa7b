"""What may change in a declaration, field by field, and what becomes of a change.

`declared_changes` compares and refuses by these rules, and docs/declaration.md shows them. A field
that no rule names goes by the rule of what it is part of.
"""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a changed field does to an ingestion of which rows are in the table."""

    AT_ONCE = "in place, at once"
    LATER_FILES = "in place, for files read from now on"
    JUDGED = "judged"
    NEW_TABLE = "needs a new table"
    OTHER = "another ingestion"


@dataclass(frozen=True)
class Rule:
    """`said` is what happens, for the docs. `left_open`: empty leaves it to the table.

    `may_begin`: a first value is refused by nothing, as the table holds nothing by another one.
    """

    field: str
    effect: Effect
    said: str
    left_open: bool = False
    may_begin: bool = False


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
    Rule(
        "table.write_mode",
        Effect.LATER_FILES,
        "rows that are there stay: see [write modes](write-modes.md#what-both-have-in-common)",
    ),
    Rule(
        "table.primary_key",
        Effect.NEW_TABLE,
        "refused by ticks and runs: nothing is read. One where there was none comes with its mode",
        left_open=True,
        may_begin=True,
    ),
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
    Rule("table", Effect.LATER_FILES, "what else `table` has holds for rows that come from now on"),
    Rule("transform", Effect.LATER_FILES, _AGAIN),
    Rule("quality", Effect.LATER_FILES, _AGAIN),
    Rule("batch", Effect.AT_ONCE, "for batches that are planned from now on"),
    Rule("engine", Effect.AT_ONCE, "for batches that begin from now on"),
    Rule(
        "schedule",
        Effect.AT_ONCE,
        "once the code location is loaded again; a schedule in place of the sensor, or the other "
        "way round, is a trigger of its own, which is off at first",
    ),
    Rule(
        "maintenance",
        Effect.AT_ONCE,
        "for work on the table from now on; its schedule once the code location is loaded again",
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


def docs_table() -> list[str]:
    """The lines of the table in docs/declaration.md."""
    lines = ["| field | a change is | what happens |", "|---|---|---|"]
    return lines + [f"| `{rule.field}` | {rule.effect} | {rule.said} |" for rule in RULES]

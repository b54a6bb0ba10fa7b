"""What changed in a declaration since it was last applied, by the rules of `change_rules`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest_assets.declaration.change_rules import RULES, Effect, Rule
from ingest_assets.errors import ConfigurationError
from ingest_assets.ingestion import Ingestion


class NewTableNeededError(ConfigurationError):
    """Fields of the declaration changed that the table was made by; nothing was read."""

    def __init__(self, message: str, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(message)


@dataclass(frozen=True)
class FieldChange:
    """A field whose value is another than when the declaration was last applied."""

    rule: Rule
    before: Any
    after: Any

    @property
    def is_refused(self) -> bool:
        """Not without a new table."""
        is_first = self.rule.may_begin and not self.before
        return self.rule.effect is Effect.NEW_TABLE and not is_first


def as_applied(ingestion: Ingestion) -> dict[str, Any]:
    """The declaration as the ledger keeps it: JSON, with every field."""
    return ingestion.model_dump(mode="json", by_alias=True)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """What differs, in the order of the rules; both as `as_applied` has them.

    A field that one of them lacks is one that its release did not have, and is no change. Nor is
    one that is left open now.
    """
    found = []
    for rule in RULES:
        was, now = _own_part(before, rule), _own_part(after, rule)
        if was == now or was is _ABSENT or now is _ABSENT:
            continue
        if rule.left_open and not now:
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

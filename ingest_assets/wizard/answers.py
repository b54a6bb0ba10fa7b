"""Answers by the field that each is about, and the attributes of a declaration that they make."""

import re
from collections.abc import Mapping
from typing import Any

from ingest_assets.declaration.declared import did_you_mean
from ingest_assets.ingestion import Ingestion, problems_of

_PLACE = "attributes."
_REQUIRED: Mapping[str, Any] = {
    "name": "x",
    "source.uri": "s3://bucket/",
    "format.type": "json",
    "table.identifier": "raw.x",
}
_TERM = re.compile(r"[^,()]+(?:\([^()]*\))?")


def attributes_of(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes, in the order of the answers; one that is None is left out."""
    attributes: dict[str, Any] = {}
    for field, value in answers.items():
        if value is None:
            continue
        *sections, name = field.split(".")
        place = attributes
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return attributes


def answers_of(ingestion: Ingestion) -> dict[str, Any]:
    """What a declaration that there is would answer, without what is the default anyway."""
    declared = ingestion.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    found: dict[str, Any] = {}
    for name, value in declared.items():
        if name in ("source", "format", "schema", "table"):
            found |= {f"{name}.{part}": of_part for part, of_part in value.items()}
        else:
            found[name] = value
    return found


def problem_of(field: str, value: Any, **others: Any) -> str | None:
    """Why the declaration cannot have this value in this field; None if it can.

    `others` are fields that the value goes with.
    """
    attributes = attributes_of({**_REQUIRED, **others, field: value})
    _, problems = problems_of("", attributes)
    for problem in problems:
        said = problem.removeprefix(": ").removeprefix(_PLACE)
        place, _, what = said.partition(": ")
        if place == field or place.startswith((f"{field}.", "source", "schema", "table")):
            return what if place == field else said
    return problems[0] if problems else None


def one_of(value: str, known: tuple[str, ...]) -> str:
    """The value as it is known.

    Raises:
        ValueError: it is none of these; offers the nearest.
    """
    found = value.strip().lower()
    if found not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}{did_you_mean(value, known)}")
    return found


def terms(text: str) -> list[str]:
    """What stands between commas, those inside of brackets aside; `-` is none."""
    if text.strip() in ("", "-"):
        return []
    return [term.strip() for term in _TERM.findall(text) if term.strip()]

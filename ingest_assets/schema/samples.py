"""A few values of the places where a file's schema differs, for the person who has to decide."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from ingest_assets.schema.difference import Change
from ingest_assets.schema.value_text import text_of

_VALUES = 3
_LOOKED_AT = 1000
_LENGTH = 80
_STEP = re.compile(r"[^.\[\]{}]+|\[\]|\{\}")


def samples(rows: pa.Table, changes: Iterable[Change]) -> dict[str, list[str]]:
    """By path, up to three different values of the file as text, cut off at 80 characters.

    `rows` are the first ones of the file, with its own types. Paths that the file lacks have none.
    """
    found = {change.path: _texts(rows, change.path) for change in changes if change.after}
    return {path: texts for path, texts in found.items() if texts}


def _texts(rows: pa.Table, path: str) -> list[str]:
    name, *steps = _STEP.findall(path)
    if name not in rows.column_names:
        return []
    values = rows[name].slice(0, _LOOKED_AT).to_pylist()
    texts = (text_of(value) for row in values for value in _at(row, steps) if value is not None)
    return [_cut(text) for text in islice(dict.fromkeys(texts), _VALUES)]


def _at(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
    elif isinstance(value, dict):
        yield from _at(value.get(steps[0]), steps[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _at(item[1] if steps[0] == "{}" else item, steps[1:])


def _cut(text: str) -> str:
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"

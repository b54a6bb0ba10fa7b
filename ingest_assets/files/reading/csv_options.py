"""The options of CSV in a declaration, and what can be wrong with them."""

from collections.abc import Mapping
from typing import Any

from ingest_assets.files.reading.text_encoding import is_encoding

_OPTIONS = (
    "delimiter",
    "quote",
    "escape",
    "header",
    "encoding",
    "null_values",
    "skip_lines",
    "comment",
)
_MARKS = ("delimiter", "quote", "escape", "comment")


def validate_csv_options(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options, one line a problem; empty when nothing is."""
    problems = [
        f"{name}: the format csv has no such option; it has {', '.join(_OPTIONS)}"
        for name in options
        if name not in _OPTIONS
    ]
    problems += _problems_of_marks({name: options[name] for name in _MARKS if name in options})
    if "encoding" in options and not is_encoding(options["encoding"]):
        problems.append(f"encoding: no such encoding is known, found {options['encoding']!r}")
    skipped = options.get("skip_lines", 0)
    if not isinstance(skipped, int) or isinstance(skipped, bool) or skipped < 0:
        problems.append(f"skip_lines: expected a number of lines, found {skipped!r}")
    header = options.get("header", True)
    if not isinstance(header, int) or header < 0:
        problems.append(f"header: expected true, false or a number of rows, found {header!r}")
    nulls = options.get("null_values", [])
    if not isinstance(nulls, list | tuple) or not all(isinstance(text, str) for text in nulls):
        problems.append(f"null_values: expected a list of texts, found {nulls!r}")
    return problems


def _problems_of_marks(marks: Mapping[str, object]) -> list[str]:
    problems = []
    for name, value in marks.items():
        if value is None and name != "delimiter":
            continue
        is_ascii = isinstance(value, str) and value.isascii() and not {"\r", "\n"} & set(value)
        if name == "delimiter" and not (is_ascii and value):
            problems.append(f"delimiter: expected ASCII characters, found {value!r}")
        elif name != "delimiter" and not (is_ascii and isinstance(value, str) and len(value) == 1):
            problems.append(f"{name}: expected one ASCII character, found {value!r}")
    taken: dict[str, str] = {}
    for name, value in ({"quote": '"'} | dict(marks)).items():
        chars = set(value) if isinstance(value, str) else set()
        same = sorted(chars & taken.keys())
        problems += [f"{name}: is the same character as the {taken[char]}" for char in same]
        taken |= dict.fromkeys(chars, name)
    return problems

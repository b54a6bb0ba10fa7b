"""The text of a `defs.yaml`, with a line about each field and the most useful of those left out.

What is loaded from the text is exactly the attributes that it was made of.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ingest_assets.declaration.declarations import COMPONENT_TYPE

SAID: Mapping[str, str] = {
    "name": "Also the name of the partitions, and of the sensor or schedule.",
    "description": "Shown in Dagster, for those who use the table.",
    "owners": "E-mail addresses, or team:name.",
    "source.uri": "Every object below it is a file.",
    "source.connection": "A name from connections.yaml; default is the standard AWS chain.",
    "source.pattern": "A glob on the key below the prefix: which objects are meant.",
    "source.discovery": "How new files are found: listing, notifications or both.",
    "source.on_changed_file": "A file that is uploaded again: replace, append, ignore or fail.",
    "format.type": "json, csv, parquet, avro, orc or xml; compression is detected.",
    "format.options": "How the files are to be read; docs/formats.md has all options.",
    "schema.on_new_column": "A field that the table lacks: merge, review, rescue or ignore.",
    "schema.on_missing_column": "A required column that a file lacks: review or allow.",
    "schema.on_type_change": "A column most of whose values have another type: review or rescue.",
    "table.identifier": "namespace.table in the Iceberg catalog; made by the first rows.",
    "table.partition_by": "Cannot be changed once the table is made.",
    "schedule": "The clock decides when files are looked for; without it the sensor does.",
    "quality": "What must hold; a rule that does not is a failed check.",
}
"""One line about a field that is set."""

OTHERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("description: Orders as the shop exports them.", "shown in Dagster"),
        ("owners: [team:shop]", "e-mail addresses, or team:name"),
    ),
    "source": (
        ("settle_seconds: 60", "for producers that write a file in place"),
        ("on_changed_file: replace", "replace | append | ignore | fail"),
        ("start: {include_existing: false}", "leave alone what is there already"),
        ("after_success: {action: tag}", "keep | tag | move | delete, once the rows are certain"),
    ),
    "schema": (
        ("optional_columns: [note]", "columns that a file may lack"),
        ("columns: [{name: order_id, type: long, required: true}]", "types you know beforehand"),
    ),
    "table": (
        ("sort_by: [customer_id]", "order of the rows in each data file"),
        ("properties: {write.target-file-size-bytes: '134217728'}", "Iceberg table properties"),
    ),
    "end": (
        ("max_rejected_ratio: 0.1", "a file with more unreadable rows is refused"),
        ("batch: {max_files: 1000, max_bytes: 1073741824}", "what one run and one commit take"),
        ("retries: {attempts: 3, backoff_minutes: [1, 5, 15]}", "for errors that can pass"),
        ("dead_letter: {uri: s3://my-bucket/dead/}", "where refused files are copied"),
        ("alerts: [ops-slack]", "channels of alerts.yaml"),
    ),
}
"""By section, fields that are not set: as they would be written, and what for."""

_SECTIONS = ("source", "format", "schema", "table")


def declaration_text(attributes: Mapping[str, Any], made_by: str) -> str:
    """The whole file; `made_by` is the command that wrote it."""
    lines = [
        f"# Written by {made_by}. `ingest-assets check` validates it,",
        "# docs/declaration.md has every field. Fields behind a # are not set.",
        f"type: {COMPONENT_TYPE}",
        "attributes:",
        *_indented(_attributes(attributes)),
    ]
    return "\n".join(lines) + "\n"


def _attributes(attributes: Mapping[str, Any]) -> Iterator[str]:
    for name in ("name", "description", "owners"):
        if name in attributes:
            yield from _field(name, name, attributes[name])
    yield from _others("", attributes)
    for section in _SECTIONS:
        if section in attributes:
            yield f"{section}:"
            yield from _indented(_section(section, attributes[section]))
    first = ("name", "description", "owners", *_SECTIONS)
    for name, value in attributes.items():
        if name not in first:
            yield from _field(name, name, value)
    yield from _others("end", attributes)


def _section(section: str, fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        yield from _field(f"{section}.{name}", name, value)
    yield from _others(section, fields)


def _field(place: str, name: str, value: Any) -> Iterator[str]:
    if place in SAID:
        yield f"# {SAID[place]}"
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        yield f"{name}:"
        yield from (f"  - {flow(item)}" for item in value)
    else:
        yield f"{name}: {flow(value)}"


def _others(section: str, written: Mapping[str, Any]) -> Iterator[str]:
    for text, why in OTHERS.get(section, ()):
        if text.partition(":")[0] not in written:
            yield f"# {text}  # {why}"


def flow(value: Any) -> str:
    """The value as YAML on one line, quoted where YAML would take it for something else.

    With a character that is a line's end to some, such as U+0085, all that is no ASCII is escaped:
    PyYAML writes such a one as it is, and reads a space (seen in 6.0).
    """
    text = _dumped(value, allow_unicode=True)
    return text if text.isprintable() else _dumped(value, allow_unicode=False)


def _dumped(value: Any, *, allow_unicode: bool) -> str:
    text = yaml.safe_dump(
        value,
        default_flow_style=True,
        width=float("inf"),
        allow_unicode=allow_unicode,
        sort_keys=False,
    )
    # A scalar at the top is followed by the mark of a document's end.
    return text.removesuffix("\n").removesuffix("\n...")


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)

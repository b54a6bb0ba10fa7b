"""The texts of the events of a batch, as Dagster stores them, by templates.

Half of what it costs to tell Dagster about a file is the packing of its events, which are alike
but for a few values. So the first event of a kind is packed with marks in place of these, and the
others are the text between the marks with their own values. A kind whose template does not give the
very text of its first event has none, and its events are packed one by one.
"""

import functools
import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

# Private, because only Dagster's storages see events as they are stored. Read in 1.13.27. To drop:
# when `serialize_value` takes less than 30 microseconds an event.
from dagster._core.events import StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._record import replace
from dagster._serdes import serialize_value

_KINDS_AT_MOST = 32
"""Where each event has a message of its own, templates do not pay."""
_TIME_MARK = 7_202_611_220_077.5
_OTHER_TIME_MARK = 8_202_611_220_078.5
_NUMBER_MARK = 9_202_611_220_079
_WORD_MARK = "\x01"


@dataclass(frozen=True)
class _Template:
    parts: Sequence[str]
    order: Sequence[int]

    def filled(self, texts: Sequence[str]) -> str:
        """The text with these in place of the marks; in the order in which the marks were given."""
        found = [self.parts[0]]
        for position, part in zip(self.order, self.parts[1:], strict=True):
            found += (texts[position], part)
        return "".join(found)


def _template(text: str, marks: Sequence[str]) -> _Template | None:
    if any(text.count(mark) != 1 for mark in marks):
        return None
    order = sorted(range(len(marks)), key=lambda position: text.index(marks[position]))
    parts = []
    for position in order:
        before, _, text = text.partition(marks[position])
        parts.append(before)
    return _Template([*parts, text], order)


class EventTexts:
    """Of one batch of events."""

    def __init__(self) -> None:
        self._templates: dict[Hashable, _Template | None] = {}

    def text(self, event: EventLogEntry) -> str:
        """What `serialize_value` makes of it."""
        dagster_event = event.dagster_event
        subject = None if dagster_event is None else _subject(dagster_event.event_specific_data)
        if subject is None or dagster_event is None:
            return serialize_value(event)
        values = [json.dumps(event.timestamp), *subject.values]
        step = dagster_event._replace(event_specific_data=None, logging_tags=None)
        tags = tuple((dagster_event.logging_tags or {}).items())
        kind = (event._replace(timestamp=0.0, dagster_event=step), tags, subject.kind)
        if kind not in self._templates:
            if len(self._templates) == _KINDS_AT_MOST:
                return serialize_value(event)
            self._templates[kind] = _proven(event, values)
        template = self._templates[kind]
        return serialize_value(event) if template is None else template.filled(values)


@dataclass(frozen=True)
class _Subject:
    """What an event is about. Events of one `kind` differ in `values`, which are JSON: partition
    key, metadata, and of an evaluation what it says about the materialization.
    """

    kind: Hashable
    values: Sequence[str]


def _subject(data: Any) -> _Subject | None:
    """None for what a batch has few of."""
    if isinstance(data, StepMaterializationData) and not data.asset_lineage:
        told = data.materialization
        if told.partition is None or told.tags:
            return None
        values = _values(told.partition, told.metadata)
        return _Subject((told.asset_key, told.description, *told.metadata), values)
    if isinstance(data, dg.AssetCheckEvaluation):
        target = data.target_materialization_data
        if data.partition is None or target is None:
            return None
        kind = (data.asset_key, data.check_name, data.passed, data.severity, data.description)
        values = _values(data.partition, data.metadata)
        values += [json.dumps(target.storage_id), json.dumps(target.timestamp)]
        return _Subject((*kind, data.blocking, target.run_id, *data.metadata), values)
    return None


def _values(partition: str, metadata: Mapping[str, Any]) -> list[str]:
    return [json.dumps(partition), *map(_metadata_text, metadata.values())]


def _metadata_text(value: Any) -> str:
    template = _metadata_templates().get(type(value))
    if template is None:
        return serialize_value(value)
    return template.filled([json.dumps(value.value)])


@functools.cache
def _metadata_templates() -> Mapping[type, _Template | None]:
    word, number, seconds = map(json.dumps, (_WORD_MARK, _NUMBER_MARK, _TIME_MARK))
    return {
        dg.TextMetadataValue: _template(serialize_value(dg.TextMetadataValue(_WORD_MARK)), [word]),
        dg.IntMetadataValue: _template(
            serialize_value(dg.IntMetadataValue(_NUMBER_MARK)), [number]
        ),
        dg.FloatMetadataValue: _template(
            serialize_value(dg.FloatMetadataValue(_TIME_MARK)), [seconds]
        ),
    }


def _proven(event: EventLogEntry, values: Sequence[str]) -> _Template | None:
    """The template of events like this one, if it gives the text of this one."""
    assert event.dagster_event is not None
    data: Any = event.dagster_event.event_specific_data
    if isinstance(data, StepMaterializationData):
        metadata, marks = _marked(data.materialization.metadata)
        told = data.materialization._replace(partition=_WORD_MARK, metadata=metadata)
        data = data._replace(materialization=told)
    else:
        metadata, marks = _marked(data.metadata)
        target = replace(
            data.target_materialization_data, storage_id=_NUMBER_MARK, timestamp=_OTHER_TIME_MARK
        )
        marks += [json.dumps(_NUMBER_MARK), json.dumps(_OTHER_TIME_MARK)]
        data = replace(
            data, partition=_WORD_MARK, metadata=metadata, target_materialization_data=target
        )
    marked = event._replace(
        timestamp=_TIME_MARK,
        dagster_event=event.dagster_event._replace(event_specific_data=data),
    )
    marks = [json.dumps(_TIME_MARK), json.dumps(_WORD_MARK), *marks]
    template = _template(serialize_value(marked), marks)
    if template is None or template.filled(values) != serialize_value(event):
        return None
    return template


def _marked(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    marks = {name: dg.TextMetadataValue(f"{_WORD_MARK}{n}") for n, name in enumerate(metadata)}
    return marks, [serialize_value(mark) for mark in marks.values()]

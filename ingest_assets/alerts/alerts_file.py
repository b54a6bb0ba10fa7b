"""`alerts.yaml` validated whole: every problem is named, and no value that may be a secret."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from ingest_assets.alerts.channels import Alerts, Channel, Limits, WebAddress
from ingest_assets.alerts.errors import AlertsFileError
from ingest_assets.declaration.declared import Declared, UniqueKeyLoader, did_you_mean, sentences

ALERTS_FILE = "alerts.yaml"


class _Sections(Declared):
    ui_url: WebAddress | None = None
    channels: dict[str, Any] = Field(default_factory=dict)
    limits: Limits = Limits()
    ingestions: dict[str, Any] = Field(default_factory=dict)

    @field_validator("channels", "ingestions", mode="before")
    @classmethod
    def _may_be_empty(cls, value: Any) -> Any:
        return {} if value is None else value


def load_alerts(defs: Path) -> Alerts:
    """What the folder `defs` says of alerts; no channel and no limit when it has no such file.

    Raises:
        AlertsFileError: the file does not hold; every problem with its field is named.
    """
    path = defs / ALERTS_FILE
    if not path.exists():
        return Alerts()
    content = _content(path)
    try:
        sections = _Sections.model_validate(content)
    except ValidationError as error:
        said = sentences(error, _Sections, "", shows_values=False)
        raise AlertsFileError("\n".join(f"{path}: {s.removeprefix('.')}" for s in said)) from None
    problems: list[str] = []
    channels: dict[str, Channel] = {}
    for name, fields in sections.channels.items():
        if (channel := _channel(name, fields, problems)) is not None:
            channels[name] = channel
    own_limits = {}
    for name, fields in sections.ingestions.items():
        limits = _validated(Limits, fields or {}, f"ingestions.{name}", problems)
        if limits is not None:
            own_limits[name] = limits
    if problems:
        raise AlertsFileError("\n".join(f"{path}: {problem}" for problem in problems))
    return Alerts(channels, sections.ui_url, sections.limits, own_limits)


def _content(path: Path) -> Any:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:  # without the line itself, which may hold a secret
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise AlertsFileError(f"{path}: is not YAML: {error.problem}{line}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise AlertsFileError(f"{path}: is not YAML in UTF-8") from None
    if content is not None and not isinstance(content, dict):
        raise AlertsFileError(f"{path}: should have `channels:`, a mapping from names to channels")
    return content or {}


def _channel(name: str, fields: Any, problems: list[str]) -> Any:
    place = f"channels.{name}"
    if not isinstance(fields, dict):
        problems.append(f"{place}: should be a mapping, as in {{type: slack, url_env: SLACK_URL}}")
        return None
    types = Alerts.TYPES
    if "type" not in fields:
        problems.append(f"{place}.type: is required and missing; it is one of {', '.join(types)}")
        return None
    if (kind := str(fields["type"])) not in types:
        meant = did_you_mean(kind, list(types)) or f"; the types are {', '.join(types)}"
        problems.append(f"{place}.type: is not a type of channel{meant}")
        return None
    return _validated(types[kind], fields, place, problems)


def _validated(model: type[Declared], fields: Any, place: str, problems: list[str]) -> Any:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problems += sentences(error, model, place, shows_values=False)
        return None


def channel_of(alerts: Alerts, name: str) -> Channel:
    """The channel of that name.

    Raises:
        AlertsFileError: there is none; says which there are.
    """
    if name not in alerts.channels:
        raise AlertsFileError(unknown_channel(name, alerts.channels))
    return alerts.channels[name]


def unknown_channel(name: str, channels: Collection[str]) -> str:
    """What is said of a channel that is named and not declared."""
    known = sorted(channels)
    meant = did_you_mean(name, known) or (f"; it has {', '.join(known)}" if known else "")
    if not known:
        return f"{name!r} is not in {ALERTS_FILE}, which has no channels"
    return f"{name!r} is not in {ALERTS_FILE}{meant}"

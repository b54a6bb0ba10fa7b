"""Where alerts go: `alerts.yaml` beside the declarations, once for the deployment.

    ui_url: https://dagster.example
    channels:
      ops-slack: {type: slack, url_env: SLACK_WEBHOOK_URL}
      pager: {type: webhook, url_env: PAGER_URL, headers_env: {Authorization: PAGER_TOKEN}}
      team-mail: {type: smtp, host: mail.example, from: ingest@example.com, to: [team@example.com]}
      topic: {type: sns, topic_arn: "arn:aws:sns:eu-central-1:123456789012:ingest"}
    limits: {nothing_arrived_hours: 24, batch_minutes: 60}
    ingestions:
      orders: {nothing_arrived_hours: 2}

Secrets are never in the file; it names the environment variables that hold them.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, field_validator, model_validator
from pydantic.functional_validators import AfterValidator

from ingest_assets.alerts.errors import ChannelError
from ingest_assets.declaration.declared import Declared


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        # without the value, which may be the secret itself
        raise ValueError("should be the name of an environment variable, as in SLACK_WEBHOOK_URL")
    return value


def _web_address(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError("should begin with http:// or https://")
    if "@" in urlsplit(value).netloc:
        raise ValueError("holds a user or password; name an environment variable that holds it")
    return value


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+", value):
        raise ValueError(f"{value!r} is not an e-mail address, as in team@example.com")
    return value


Variable = Annotated[str, AfterValidator(_variable)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]


def secret(variable: str, env: Mapping[str, str] = os.environ) -> str:
    """What the environment variable holds.

    Raises:
        ChannelError: it is not set.
    """
    value = env.get(variable, "").strip()
    if not value:
        raise ChannelError(f"{variable} is not set in the environment of this process")
    return value


class Slack(Declared):
    """An incoming webhook of Slack, or of what takes the same JSON (Mattermost, Rocket.Chat)."""

    type: Literal["slack"]
    url_env: Variable


class Webhook(Declared):
    """An HTTP endpoint that takes the alert as JSON."""

    type: Literal["webhook"]
    url: WebAddress | None = None
    url_env: Variable | None = None
    headers_env: dict[str, Variable] = Field(default_factory=dict)

    @field_validator("headers_env")
    @classmethod
    def _header_names(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9-]+", name):
                raise ValueError(f"{name!r} is not the name of a header, as in Authorization")
        return value

    @model_validator(mode="after")
    def _one_address(self) -> "Webhook":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("needs one of url and url_env")
        return self


class Smtp(Declared):
    """Mail over SMTP; `port` is by default the one for submission."""

    type: Literal["smtp"]
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    starttls: bool = True
    sender: MailAddress = Field(alias="from")
    to: Annotated[list[MailAddress], Field(min_length=1)]
    username_env: Variable | None = None
    password_env: Variable | None = None

    @field_validator("port")
    @classmethod
    def _speaks_before_tls(cls, value: int) -> int:
        if value == 465:
            raise ValueError("is for TLS from the first byte; the port for STARTTLS is mostly 587")
        return value

    @model_validator(mode="after")
    def _both_halves_of_a_login(self) -> "Smtp":
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env go together")
        if self.username_env is not None and not self.starttls:
            raise ValueError("username_env needs starttls, or the password travels in the clear")
        return self


class Sns(Declared):
    """A topic of Amazon SNS; `connection` is a name from connections.yaml."""

    type: Literal["sns"]
    topic_arn: str
    connection: str = "default"

    @field_validator("topic_arn")
    @classmethod
    def _is_a_topic(cls, value: str) -> str:
        if not re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+", value):
            raise ValueError(
                f"{value!r} is not a topic, as in arn:aws:sns:eu-central-1:123456789012:ingest"
            )
        return value

    @property
    def region(self) -> str:
        """Where the topic is."""
        return self.topic_arn.split(":")[3]

    @property
    def is_fifo(self) -> bool:
        """The topic keeps the order and drops what was sent twice."""
        return self.topic_arn.endswith(".fifo")


Channel = Slack | Webhook | Smtp | Sns


class Limits(Declared):
    """After what time somebody is told; None is never."""

    nothing_arrived_hours: PositiveFloat | None = None
    batch_minutes: PositiveFloat | None = None

    @property
    def silence(self) -> timedelta | None:
        """How long no file may arrive."""
        hours = self.nothing_arrived_hours
        return None if hours is None else timedelta(hours=hours)

    @property
    def batch(self) -> timedelta | None:
        """How long a worker may hold a batch."""
        minutes = self.batch_minutes
        return None if minutes is None else timedelta(minutes=minutes)


@dataclass(frozen=True)
class Alerts:
    """What alerts.yaml says; `own_limits` are those that an ingestion has beside the general."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    ui_url: str | None = None
    limits: Limits = field(default_factory=Limits)
    own_limits: Mapping[str, Limits] = field(default_factory=dict)

    TYPES: ClassVar[dict[str, type[Declared]]] = {
        "slack": Slack,
        "webhook": Webhook,
        "smtp": Smtp,
        "sns": Sns,
    }

    def limits_of(self, ingestion: str) -> Limits:
        """The limits of the ingestion; one that it sets to null does not hold for it."""
        own: Any = self.own_limits.get(ingestion, Limits())
        return self.limits.model_copy(update={n: getattr(own, n) for n in own.model_fields_set})

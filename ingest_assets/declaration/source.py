"""The `source` and `format` of a declaration: where the files are, and what they are."""

import re
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from ingest_assets.declaration.declared import Declared
from ingest_assets.files.pattern import matcher
from ingest_assets.files.reading.reader import FormatType, Reader, reader_for, validate_options

SUPPORTED_SCHEMES = ("s3", "gs", "az", "file")
OnChangedFile = Literal["replace", "append", "ignore", "fail"]
_URI = re.compile(r"^(?P<scheme>[a-z0-9]+)://(?P<bucket>[^/]*)(?:/(?P<path>.*))?$")


def checked_address(value: str) -> str:
    """The address of a prefix in a store, or of a folder.

    Raises:
        ValueError: it is none; says what would be right.
    """
    match = _URI.match(value)
    if match is None or match["scheme"] not in SUPPORTED_SCHEMES:
        raise ValueError(
            f"{value!r} is not an address of files; it should look like "
            "s3://bucket/prefix/ (also gs://, az:// or file://)"
        )
    if match["scheme"] != "file" and not match["bucket"]:
        raise ValueError(f"{value!r} names no bucket; write {match['scheme']}://bucket/prefix/")
    if match["scheme"] == "file":
        path = f"{match['bucket']}/{match['path'] or ''}".strip("/")
        if not path:
            raise ValueError(f"{value!r} names no folder; write file:///folder/")
        if match["bucket"]:
            raise ValueError(f"{value!r} is not an absolute path; write file:///{path}/")
    return value


class Discovery(Declared):
    """How new files are found: by listing the prefix, by the bucket's events in a queue, or both.

    `interval_seconds` left out is 2 where there is a queue: Dagster's daemon goes round its sensors
    every five seconds, and takes 2 for each time.
    """

    mode: Literal["listing", "notifications", "both"] = "listing"
    interval_seconds: PositiveInt = 30
    queue_url: str | None = None
    listing_hours: PositiveFloat = 6

    @model_validator(mode="before")
    @classmethod
    def _interval_of_the_mode(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("mode") in ("notifications", "both"):
            return {"interval_seconds": 2, **value}
        return value

    @field_validator("queue_url")
    @classmethod
    def _is_the_address_of_a_queue(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#@]+/[^\s?#]+", value):
            raise ValueError(
                f"{value!r} is not the address of a queue; it should look like "
                "https://sqs.eu-central-1.amazonaws.com/123456789012/landing"
            )
        return value

    @model_validator(mode="after")
    def _queue_goes_with_the_mode(self) -> "Discovery":
        if self.mode == "listing" and self.queue_url is not None:
            raise ValueError("queue_url goes with mode: notifications or both; listing reads none")
        if self.mode != "listing" and self.queue_url is None:
            raise ValueError(f"mode: {self.mode} needs the queue_url of the queue with the events")
        if self.mode != "both" and self.listing_hours != 6:
            raise ValueError("listing_hours goes with mode: both")
        return self


class Start(Declared):
    """Which of the files that are there already are wanted."""

    include_existing: bool = True
    modified_after: AwareDatetime | None = None

    @field_validator("modified_after", mode="before")
    @classmethod
    def _with_zone(cls, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError("needs a time zone, as in 2026-01-31T00:00:00Z")
        return value


class AfterSuccess(Declared):
    """What happens to a source file so many days after its rows came into the table."""

    action: Literal["keep", "tag", "move", "delete"] = "keep"
    after_days: NonNegativeInt = 0
    to: str | None = None

    @field_validator("to")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        return None if value is None else checked_address(value)

    @model_validator(mode="after")
    def _whole(self) -> "AfterSuccess":
        if self.action == "keep" and self.after_days:
            raise ValueError("after_days needs an action: tag, move or delete")
        if self.action == "move" and self.to is None:
            raise ValueError("move needs `to`, the place to move to, as in s3://bucket/done/")
        if self.action != "move" and self.to is not None:
            raise ValueError(f"`to` goes with the action move, not with {self.action}")
        return self


class Source(Declared):
    """Where the files are, and which of them belong to the ingestion."""

    uri: str
    connection: str = "default"
    pattern: str = "**/*"
    discovery: Discovery = Discovery()
    start: Start = Start()
    settle_seconds: Annotated[NonNegativeInt, Field(le=30 * 86_400)] = 0
    on_changed_file: OnChangedFile = "replace"
    max_file_bytes: PositiveInt = 5 * 1024**3
    after_success: AfterSuccess = AfterSuccess()

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        return checked_address(value)

    @field_validator("pattern")
    @classmethod
    def _relative_pattern(cls, value: str) -> str:
        if not value or value.startswith("/"):
            raise ValueError("must be a glob on the key below the prefix, as in **/*.json")
        matcher(value)
        return value

    @model_validator(mode="after")
    def _after_success_fits_the_store(self) -> "Source":
        action, scheme = self.after_success.action, self.root.partition("://")[0]
        if action != "keep" and scheme not in ("s3", "file"):
            raise ValueError(
                f"after_success.action: {action} is not available yet for {scheme}://; keep is"
            )
        if action == "tag" and scheme == "file":
            raise ValueError("after_success.action: files have no tags; write move, delete or keep")
        target = self.moved_to
        if target is not None and target.root.partition("://")[0] != scheme:
            raise ValueError(
                f"after_success.to: {target.uri!r} is in another kind of store; write "
                f"{scheme}://… as in source.uri"
            )
        return self

    @model_validator(mode="after")
    def _events_come_from_s3(self) -> "Source":
        if self.discovery.queue_url is not None and not self.uri.startswith("s3://"):
            raise ValueError(
                f"discovery.mode: {self.discovery.mode} reads the events of S3, and uri is "
                f"{self.uri!r}; write mode: listing"
            )
        return self

    @property
    def moved_to(self) -> "Source | None":
        """Where `after_success` moves the files, reached over the same connection."""
        if self.after_success.to is None:
            return None
        return Source(uri=self.after_success.to, connection=self.connection)

    @property
    def root(self) -> str:
        """The part of the address that is opened as a store: scheme and bucket, or `file:///`."""
        match = _URI.match(self.uri)
        assert match is not None
        return f"{match['scheme']}://{match['bucket']}"

    @property
    def prefix(self) -> str:
        """The prefix inside the store: empty, or ending in a slash."""
        match = _URI.match(self.uri)
        assert match is not None
        path = (match["path"] or "").strip("/")
        return f"{path}/" if path else ""

    @property
    def address(self) -> str:
        """What the address of each listed file of the source begins with."""
        if self.root == "file://":
            return f"file://{PurePosixPath('/', self.prefix)}/"
        return self.uri_of("")

    @property
    def settle(self) -> timedelta:
        """The age that a content must have reached before it is read."""
        return timedelta(seconds=self.settle_seconds)

    def uri_of(self, key: str) -> str:
        """The whole address of the file with the relative `key`."""
        return f"{self.root}/{self.prefix}{key}"


class Format(Declared):
    """What the files are."""

    type: FormatType
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_options(self) -> "Format":
        problems = validate_options(self.type, self.options)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def reader(self) -> Reader:
        """What reads such files; one reader serves any number of them, in any thread."""
        return reader_for(self.type, self.options)

    def cannot_hold(self, type_: pa.DataType) -> bool:
        """No value of a file of the format fits the type."""
        if self.type == "xml":
            return bool(pa.types.is_map(type_))
        return self.type == "csv" and bool(pa.types.is_nested(type_))

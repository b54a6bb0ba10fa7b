"""The `source` and `format` of a declaration: where the files are, and what they are."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import (
    AwareDatetime,
    Field,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from ingest_assets.declared import Declared, not_yet
from ingest_assets.files.pattern import matcher
from ingest_assets.files.reading.reader import Reader, reader_for, validate_options

SUPPORTED_SCHEMES = ("s3", "gs", "az", "file")
_URI = re.compile(r"^(?P<scheme>[a-z0-9]+)://(?P<bucket>[^/]*)(?:/(?P<path>.*))?$")


class Discovery(Declared):
    """How new files are found."""

    mode: Annotated[Literal["listing", "notifications", "both"], not_yet("listing")] = "listing"
    interval_seconds: PositiveInt = 30
    queue_url: Annotated[str | None, not_yet(None)] = None


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
    """What happens to a source file once its rows are certain."""

    action: Literal["keep", "tag", "move", "delete"] = "keep"
    after_days: NonNegativeInt = 0
    to: str | None = None


class Source(Declared):
    """Where the files are, and which of them belong to the ingestion."""

    uri: str
    connection: str = "default"
    pattern: str = "**/*"
    discovery: Discovery = Discovery()
    start: Start = Start()
    settle_seconds: Annotated[NonNegativeInt, not_yet(0)] = 0
    on_changed_file: Annotated[
        Literal["replace", "append", "ignore", "fail"], not_yet("replace")
    ] = "replace"
    max_file_bytes: PositiveInt = 5 * 1024**3
    after_success: Annotated[AfterSuccess, not_yet(AfterSuccess())] = AfterSuccess()

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
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

    @field_validator("pattern")
    @classmethod
    def _relative_pattern(cls, value: str) -> str:
        if not value or value.startswith("/"):
            raise ValueError("must be a glob on the key below the prefix, as in **/*.json")
        matcher(value)
        return value

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

    def uri_of(self, key: str) -> str:
        """The whole address of the file with the relative `key`."""
        return f"{self.root}/{self.prefix}{key}"


class Format(Declared):
    """What the files are."""

    type: Literal["json", "csv", "parquet", "avro", "orc", "xml"]
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _is_read(cls, value: str) -> str:
        if value in ("avro", "orc", "xml"):
            raise ValueError("not available yet; json, csv and parquet are")
        return value

    @model_validator(mode="after")
    def _known_options(self) -> "Format":
        if self.type in ("json", "csv", "parquet"):
            problems = validate_options(self.type, self.options)
            if problems:
                raise ValueError("; ".join(problems))
        return self

    def reader(self) -> Reader:
        """What reads such files; one reader serves any number of them, in any thread."""
        if self.type not in ("json", "csv", "parquet"):
            raise AssertionError("refused when the declaration was validated")
        return reader_for(self.type, self.options)

    def cannot_hold(self, type_: pa.DataType) -> bool:
        """No value of a file of the format fits the type."""
        return self.type == "csv" and bool(pa.types.is_nested(type_))

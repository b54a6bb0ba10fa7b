"""A source file: one object under an ingestion's prefix, as a listing or an event tells of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SourceFile:
    """One object at one moment. The same `key` with another `etag` is a changed file.

    `key` is relative to the ingestion's prefix, raw; `modified_at` is aware, UTC.
    """

    key: str
    uri: str
    size_bytes: int
    etag: str
    modified_at: datetime


def is_file(key: str) -> bool:
    """Not a folder marker."""
    return bool(key) and not key.endswith("/")


def is_text(key: str) -> bool:
    """Postgres, which keeps the key, takes neither a NUL nor half a character."""
    return "\0" not in key and not any("\ud800" <= char <= "\udfff" for char in key)

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

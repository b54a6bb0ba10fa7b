"""The `dead_letter` of a declaration: where refused files are copied."""

import re
from pathlib import Path

from pydantic import field_validator

from ingest_assets.declaration.declared import Declared
from ingest_assets.declaration.source import checked_address

_NO_PATH = re.compile(r"[\x00-\x1f\x7f%]|//|(^|/)\.\.?(/|$)")


class DeadLetter(Declared):
    """Where files that used up their attempts, or never can be read, are copied."""

    uri: str | None = None
    connection: str = "default"

    @field_validator("uri")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if _NO_PATH.search(checked_address(value).partition("://")[2].rstrip("/")[1:]):
            raise ValueError(
                f"{value!r} should be a plain prefix, as in s3://bucket/dead/: without %, control "
                "characters, empty parts, . and .."
            )
        return value

    def place(self, home: Path) -> str:
        """The address below which each ingestion has a folder of dead letters."""
        return default_place(home) if self.uri is None else self.uri


def default_place(home: Path) -> str:
    """Where dead letters go if the declaration names no place."""
    return f"file://{home}/dead_letter"

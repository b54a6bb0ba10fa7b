"""An alert as people and programs get it: one message, whatever the channel."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

from ingest_assets.settings import public_url

NAMES_SHOWN = 5
_NAME_CHARACTERS = 200
_TEXT_CHARACTERS = 400


@dataclass(frozen=True)
class Message:
    """What happened, to which ingestion, since when, where to look, and the next step.

    `since` is in UTC, in ISO 8601; `count` is how many events or files it is about; `link` is a
    path when no address of the UI is known.
    """

    kind: str
    title: str
    what: str
    ingestion: str
    table: str
    since: str
    count: int
    link: str
    next_step: str

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    def text(self) -> str:
        """The whole message but its title, as plain text."""
        return f"{self.what}\n\n{self.facts()}\n"

    def facts(self) -> str:
        """A line each for the ingestion, the time, the link and the next step."""
        since = datetime.fromisoformat(self.since)
        return "\n".join(
            [
                f"Ingestion: {self.ingestion} (table {self.table})",
                f"Since: {since:%Y-%m-%d %H:%M:%S} UTC",
                f"Look at: {self.link}",
                f"Next step: {self.next_step}",
            ]
        )


def in_utc(moment: datetime) -> str:
    """The moment as a message has it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def shown(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    first = ", ".join(_clipped(printable(name), _NAME_CHARACTERS) for name in names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{first} and {more} more" if more > 0 else first


def clipped(said: str | None) -> str:
    """As much of a long text as a message needs, on one line and without a password."""
    return _clipped(printable(" ".join(public_url(said or "").split())), _TEXT_CHARACTERS)


def printable(name: str) -> str:
    """The text on one line: what would break it, hide in it or turn it round is written out."""
    return "".join(
        char if char.isprintable() or category(char) == "Zs" else ascii(char)[1:-1] for char in name
    )


def _clipped(said: str, characters: int) -> str:
    return said if len(said) <= characters else f"{said[:characters]}…"

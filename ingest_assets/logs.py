"""Log lines as JSON, one object a line on stderr, where INGEST_LOG_FORMAT=json asks for them.

`ts`, `level`, `logger` and `message` are always there; `ingestion`, `batch_id`, `run_id` and `key`
where they are known, and counts where a line has some; `error` is a traceback. Passwords and
signatures of addresses are hidden.

These are the lines of the product's own loggers, in whatever process. What Dagster says of a run is
in its event log, and on the console in Dagster's form: it takes no other from the code.
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

from ingest_assets.errors import ConfigurationError
from ingest_assets.settings import public_url

FORMAT_VARIABLE = "INGEST_LOG_FORMAT"
PRODUCT_LOGGER = "ingest_assets"

_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=MappingProxyType({}))
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


@contextlib.contextmanager
def about(**fields: str | None) -> Iterator[None]:
    """The lines that this thread logs inside have these fields; None says nothing."""
    known = {name: value for name, value in fields.items() if value is not None}
    token = _about.set({**_about.get(), **known})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": public_url(record.getMessage()),
            **_about.get(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            said["error"] = public_url(self.formatException(record.exc_info))
        return json.dumps(said, default=str, ensure_ascii=False)


def wants_json(env: Mapping[str, str] | None = None) -> bool:
    """The environment asks for JSON lines.

    Raises:
        ConfigurationError: INGEST_LOG_FORMAT is neither `json` nor `text`.
    """
    wanted = (os.environ if env is None else env).get(FORMAT_VARIABLE) or "text"
    if wanted not in ("json", "text"):
        raise ConfigurationError(
            f"{FORMAT_VARIABLE} is {wanted!r}; it is json, or text as if it were not set."
        )
    return wanted == "json"


def configure() -> None:
    """The product's own lines go to stderr as JSON if that is wanted; else nothing is changed."""
    if wants_json() and not are_json():
        logger = logging.getLogger(PRODUCT_LOGGER)
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def are_json() -> bool:
    """The product's own lines are JSON in this process."""
    handlers = logging.getLogger(PRODUCT_LOGGER).handlers
    return any(isinstance(handler.formatter, JsonLines) for handler in handlers)

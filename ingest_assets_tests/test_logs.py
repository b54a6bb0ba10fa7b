"""Log lines as JSON."""

import json
import logging
from collections.abc import Iterator

import pytest

from ingest_assets import logs
from ingest_assets.errors import ConfigurationError


@pytest.fixture(autouse=True)
def product_logger() -> Iterator[logging.Logger]:
    """The product's logger, left as it was found."""
    logger = logging.getLogger(logs.PRODUCT_LOGGER)
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_line_has_what_is_known_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.FORMAT_VARIABLE, "json")
    logs.configure()
    logs.configure()
    logger = logging.getLogger("ingest_assets.engine.somewhere")
    with logs.about(ingestion="orders", batch_id="b1", run_id=None):
        logger.info("Read %s files", 3, extra={"files": 3})
        with logs.about(key="a.json"):
            try:
                raise OSError("postgresql://me:secret@host/db refused")
            except OSError:
                logger.exception("https://host/a?X-Amz-Signature=abc is gone")
    logger.info("outside")
    logger.debug("not wanted")
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("ts").endswith("+00:00")
    assert first == {
        "level": "INFO",
        "logger": "ingest_assets.engine.somewhere",
        "message": "Read 3 files",
        "ingestion": "orders",
        "batch_id": "b1",
        "files": 3,
    }
    assert (second["key"], second["level"]) == ("a.json", "ERROR")
    assert "abc" not in second["message"]
    assert "Traceback" in second["error"]
    assert ":secret@" not in second["error"]
    assert set(third) == {"ts", "level", "logger", "message"}


def test_nothing_changes_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, product_logger: logging.Logger
) -> None:
    before = list(product_logger.handlers)
    for wanted in ("", "text"):
        monkeypatch.setenv(logs.FORMAT_VARIABLE, wanted)
        logs.configure()
    assert product_logger.handlers == before


def test_a_format_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="INGEST_LOG_FORMAT is 'xml'; it is json, or text"):
        logs.wants_json({logs.FORMAT_VARIABLE: "xml"})

"""A Prometheus of the tests' own, and a deployment with a command line for it to scrape."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.workshop import Workshop


@pytest.fixture
def product(tmp_path: Path, fresh_database: str, s3: Any, bucket: str) -> Product:
    """The command line on a database and a bucket of its own."""
    made = Product(tmp_path / "user", s3, bucket, INGEST_POSTGRES_URL=fresh_database)
    made.declare()
    return made


@pytest.fixture
def workshop(
    tmp_path: Path, fresh_database: str, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """What works on the same database and bucket in this process."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    made = Workshop(tmp_path / "home", fresh_database, s3, bucket)
    yield made
    made.close()


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The program; without it the test is skipped, and fails where `.ci/run` has installed it."""
    found = shutil.which("prometheus")
    if found is None or shutil.which("promtool") is None:
        missing = "No prometheus and promtool here: apt-get install prometheus"
        if os.environ.get("INGEST_TESTS_SKIP_NOTHING"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found

"""A world of its own for each test, in a fresh database and bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_assets_tests.chaos import worker
from ingest_assets_tests.chaos.world import World
from ingest_assets_tests.conftest import S3Server


@pytest.fixture
def world(
    fresh_database: str,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """An empty source, no table, an empty ledger."""
    environment = {
        "INGEST_HOME": str(tmp_path),
        "INGEST_POSTGRES_URL": fresh_database,
        "INGEST_DEFS": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "AWS_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_REGION": s3.region,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    world = World(environment, bucket, s3.client)
    yield world
    worker.end_all()
    world.dispose()

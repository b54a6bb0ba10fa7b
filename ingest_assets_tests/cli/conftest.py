"""The command line inside this process, on a folder of declarations of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from ingest_assets.cli.main import cli
from ingest_assets.deployment import Deployment
from ingest_assets.engine import steps
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Cli = Callable[..., Result]


@pytest.fixture
def defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that INGEST_DEFS names; no service is named."""
    folder = tmp_path / "defs"
    folder.mkdir()
    for name in ("INGEST_POSTGRES_URL", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INGEST_DEFS", str(folder))
    monkeypatch.setenv("INGEST_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def run_cli(defs: Path) -> Cli:
    """Each call is a command."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return run


@pytest.fixture
def working_cli(
    run_cli: Cli,
    defs: Path,
    fresh_database: str,
    s3: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cli]:
    """The same with services, and the declaration `orders` on an empty bucket."""
    for name, value in {**s3.env(), "INGEST_POSTGRES_URL": fresh_database}.items():
        monkeypatch.setenv(name, value)
    # what a Dagster instance sets for its process must not reach other tests
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    monkeypatch.setattr(steps, "_file_watchers", [])
    declare(defs, attributes(bucket))
    yield run_cli
    Deployment.from_env().ledger.dispose()


@pytest.fixture
def put(s3: Any, bucket: str) -> Callable[[str, bytes], None]:
    """Puts a file of `orders`."""
    return lambda key, body: s3.client.put_object(Bucket=bucket, Key=f"orders/{key}", Body=body)


def plain(result: Result) -> str:
    """What it printed, without colours."""
    return click.unstyle(result.output)

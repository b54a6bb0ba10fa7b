"""Sources over the real S3 server, with the environment that a user would set."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.declaration.source import Source
from ingest_assets.files.connections import Connection
from ingest_assets.files.store import SourceStore
from ingest_assets_tests.conftest import S3Server

OpenStore = Callable[..., SourceStore]


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No AWS_* variable, no profile, no instance role: what a bare machine has."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    return monkeypatch


@pytest.fixture
def environment(aws_environment: pytest.MonkeyPatch, s3: S3Server) -> pytest.MonkeyPatch:
    """The variables with which any S3 client finds the server."""
    for name, value in s3.env().items():
        aws_environment.setenv(name, value)
    return aws_environment


@pytest.fixture
def open_store(tmp_path: Path) -> OpenStore:
    """Opens the store of a URI, with any other fields of a source and a connection."""

    def opened(uri: str, connection: Connection | None = None, **source: Any) -> SourceStore:
        return SourceStore(
            Source(uri=uri, **source), connection or Connection(), tmp_path / "spool"
        )

    return opened

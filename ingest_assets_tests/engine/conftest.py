"""An ingestion of the files of a local folder, with a ledger of its own."""

from pathlib import Path

import pytest

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.settings import Settings


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """The folder that is listed."""
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def deployment(tmp_path: Path, fresh_database: str) -> Deployment:
    """Without any service but Postgres."""
    home = tmp_path / "home"
    return Deployment(Settings(home, tmp_path / "defs", home / "dagster", fresh_database))


@pytest.fixture
def orders(landing: Path, deployment: Deployment) -> Ingestion:
    """Registered."""
    (deployment.settings.defs).mkdir()
    ingestion = Ingestion.model_validate(
        {
            "name": "orders",
            "source": {"uri": f"file://{landing}/"},
            "format": {"type": "json"},
            "table": {"identifier": "raw.orders"},
        }
    )
    deployment.ledger.register("orders", "raw.orders")
    return ingestion

"""Real catalogs in a Postgres database of the test, over a folder or the S3 server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog

from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.tables.lake import Lake

NewCatalog = Callable[..., SqlCatalog]


@pytest.fixture
def catalog_properties(fresh_database: str, tmp_path: Path) -> dict[str, str]:
    """What makes the catalog of this test in any process."""
    return {"uri": fresh_database, "warehouse": f"file://{tmp_path}/warehouse"}


@pytest.fixture
def new_catalog(catalog_properties: dict[str, str]) -> Iterator[NewCatalog]:
    """Each call gives a handle of its own to the one catalog of this test."""
    made: list[SqlCatalog] = []

    def make(kind: type[SqlCatalog] = SqlCatalog, **properties: Any) -> SqlCatalog:
        made.append(kind("lake", **{**catalog_properties, **properties}))
        return made[-1]

    yield make
    for catalog in made:
        catalog.close()


@pytest.fixture
def catalog(new_catalog: NewCatalog) -> Catalog:
    """The catalog, its warehouse in a folder."""
    return new_catalog()


@pytest.fixture
def lake(catalog: Catalog) -> Lake:
    """The catalog, its warehouse in a folder."""
    return Lake(catalog)


@pytest.fixture
def s3_lake(new_catalog: NewCatalog, s3: S3Server, bucket: str) -> Lake:
    """The catalog, its warehouse in the S3 server."""
    return Lake(
        new_catalog(
            **{
                "warehouse": f"s3://{bucket}/warehouse",
                "s3.endpoint": s3.endpoint_url,
                "s3.access-key-id": s3.access_key,
                "s3.secret-access-key": s3.secret_key,
                "s3.region": s3.region,
            }
        )
    )

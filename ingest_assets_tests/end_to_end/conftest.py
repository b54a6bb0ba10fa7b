"""Deployments of the tests' own: one in this process, one as a user has it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.workshop import Workshop
from ingest_assets_tests.spark_cluster import StandaloneCluster


@pytest.fixture
def workshop(
    tmp_path: Path, fresh_database: str, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """A deployment in this process, with a bucket and a database of its own."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    made = Workshop(tmp_path / "home", fresh_database, s3, bucket)
    yield made
    made.close()


@pytest.fixture(scope="session")
def spark_cluster(service_folder: Path, s3: Any) -> Iterator[StandaloneCluster]:
    """A cluster whose executors know the S3 server; without Java the test is skipped."""
    if shutil.which("java") is None and not os.environ.get("INGEST_TESTS_SKIP_NOTHING"):
        pytest.skip("Spark needs Java 17 or later")
    folder = service_folder / "spark"
    folder.mkdir()
    with StandaloneCluster(folder, s3.env()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def spark_session(spark_cluster: StandaloneCluster) -> Iterator[SparkSession]:
    """The session of this process on that cluster, which the product finds for itself."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in spark_cluster.env().items():
            patched.setenv(name, value)
        session = SparkSession.builder.getOrCreate()
        yield session
        session.stop()


@pytest.fixture
def product(tmp_path: Path, fresh_database: str, s3: Any, bucket: str) -> Product:
    """The command line on a database and a bucket of its own."""
    return Product(tmp_path / "user", s3, bucket, INGEST_POSTGRES_URL=fresh_database)


@pytest.fixture
def embedded_product(tmp_path: Path, s3: Any) -> Callable[..., Product]:
    """Each call gives a command line whose Postgres is the embedded one of its home."""

    def make(name: str, **env: str) -> Product:
        return Product(tmp_path / name, s3, s3.make_bucket(), **env)

    return make

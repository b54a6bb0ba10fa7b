"""The Spark session of an ingestion that declares `engine: spark`, as dagster-pyspark makes it.

What cluster that is says Spark's own configuration: SPARK_REMOTE for Spark Connect, or the
spark-defaults.conf of SPARK_CONF_DIR.
"""

from functools import cache
from typing import Any

from ingest_assets.engine.spark import SparkCluster
from ingest_assets.ingestion import Ingestion


def cluster_of(ingestion: Ingestion) -> SparkCluster | None:
    """The cluster that reads the ingestion's files, None for the local engine.

    Its session is begun by the first batch, and is the one of this process if there is one.
    """
    return SparkCluster(spark_session) if ingestion.engine == "spark" else None


def spark_session() -> Any:
    """The session of this process, made by the first that asks for it."""
    return _resource().spark_session


@cache
def _resource() -> Any:
    # An extra: who has no cluster has no use for 500 MB of Spark. Not a resource of the asset,
    # because its `resource_defs` are in beta (Dagster 1.13).
    from dagster_pyspark import LazyPySparkResource

    return LazyPySparkResource(spark_config={})

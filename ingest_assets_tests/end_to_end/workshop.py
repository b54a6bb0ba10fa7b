"""A deployment on services of its own, worked in this process through the product's own pass."""

import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from pyiceberg.exceptions import NoSuchTableError

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup
from ingest_assets.ledger.lookup import FileRow
from ingest_assets.orchestration.asset import build_asset
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.orchestration.one_pass import PassResult, ingest_once
from ingest_assets.settings import Settings

COMPONENT_TYPE = "ingest_assets.components.S3ToIceberg"


def attributes(bucket: str, name: str = "orders", **changes: Any) -> dict[str, Any]:
    """A declaration's attributes; a mapping among `changes` goes into the section it names."""
    declared: dict[str, Any] = {
        "name": name,
        "source": {"uri": f"s3://{bucket}/{name}/"},
        "format": {"type": "json"},
        "table": {"identifier": f"raw.{name}"},
    }
    for section, value in changes.items():
        is_part = isinstance(value, Mapping) and section in declared
        declared[section] = {**declared[section], **value} if is_part else value
    return declared


def declare(folder: Path, declared: Mapping[str, Any]) -> Path:
    """The declaration is in `<folder>/<name>/defs.yaml`."""
    path = folder / declared["name"] / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = json.loads(json.dumps({"type": COMPONENT_TYPE, "attributes": declared}))
    path.write_text(yaml.safe_dump(document))
    return path


class Workshop:
    """One ingestion of JSON orders, its bucket, its ledger, its table and a Dagster instance."""

    def __init__(self, home: Path, postgres_url: str, s3: Any, bucket: str) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.deployment = self.deployment_on(home, postgres_url)
        self.instance = dg.DagsterInstance.ephemeral()

    @staticmethod
    def deployment_on(home: Path, postgres_url: str) -> Deployment:
        """Another deployment, as another machine would have it."""
        defs = home / "defs"
        defs.mkdir(parents=True, exist_ok=True)
        return Deployment(Settings(home, defs, home / "dagster", postgres_url))

    def ingestion(self, **changes: Any) -> Ingestion:
        """The declaration, with changes as in `attributes`."""
        return Ingestion.model_validate(attributes(self.bucket, **changes))

    def put(self, key: str, body: bytes, name: str = "orders") -> None:
        """The object is in the source."""
        self.s3.put(self.bucket, f"{name}/{key}", body)

    def ingest(self, **changes: Any) -> PassResult:
        """One pass of `ingestion(**changes)`."""
        return ingest_once(self.deployment, self.ingestion(**changes), self.instance)

    def materialize(self, *keys: str, **changes: Any) -> dg.ExecuteInProcessResult:
        """A run over the range of `keys`, as a person asks for it in the UI."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)
            asset = build_asset(self.ingestion(**changes), lambda: self.deployment)
            return dg.materialize(
                [asset],
                instance=self.instance,
                resources={IO_MANAGER_KEY: IcebergIOManager(lambda: self.deployment)},
                tags={
                    "dagster/asset_partition_range_start": keys[0],
                    "dagster/asset_partition_range_end": keys[-1],
                },
                raise_on_error=False,
            )

    def files(self, name: str = "orders") -> dict[str, FileRow]:
        """The ledger's rows by key."""
        with self.deployment.ledger.transaction() as connection:
            return {row.key: row for row in lookup.files(connection, name)}

    def statuses(self, name: str = "orders") -> dict[str, str]:
        """The state of each file by key."""
        return {key: row.status for key, row in self.files(name).items()}

    def rows(self, identifier: str = "raw.orders") -> list[dict[str, Any]]:
        """The table's rows in the order of their files and lines; none without a table."""
        with suppress(NoSuchTableError):
            found = self.deployment.catalog.load_table(identifier).scan().to_arrow()
            return sorted(found.to_pylist(), key=lambda r: (r["_source_file"], r["_source_row"]))
        return []

    def order_ids(self) -> list[int]:
        """What stands in the table's `order_id`, sorted."""
        return sorted(row["order_id"] for row in self.rows())

    def partitions(self, asset_key: dg.AssetKey | None = None) -> set[str]:
        """The partitions that are materialized."""
        key = asset_key or dg.AssetKey(["raw", "orders"])
        return set(self.instance.get_materialized_partitions(key))

    def let_leases_run_out(self) -> None:
        """As if a minute had passed in which nobody renewed them."""
        with self.deployment.ledger.transaction() as connection:
            connection.exec_driver_sql("UPDATE ingest.batches SET lease_expires_at = now()")

    def close(self) -> None:
        """No connection is left open."""
        self.deployment.ledger.dispose()
        self.instance.dispose()

"""A source, a table and a ledger of their own, and what must be true of them in the end."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import dagster as dg
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.table.snapshots import ancestors_of
from sqlalchemy import text

from ingest_assets.deployment import Deployment
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup, planning
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.lookup import FileRow
from ingest_assets.ledger.planning import PlannedBatch
from ingest_assets.orchestration.instance import open_instance
from ingest_assets.orchestration.names import asset_key, partitions_def
from ingest_assets.settings import Settings

Rows = Counter[tuple[str, int]]
"""How often a row is there: address of the file and the row's own number."""


@dataclass(frozen=True)
class Upload:
    """The newest content of a key: the numbers of its good rows, and how many are rejected."""

    numbers: tuple[int, ...]
    rejected: int


@dataclass
class World:
    """One ingestion of one bucket; `uploads` is what was put under each key at last."""

    environment: dict[str, str]
    bucket: str
    client: Any
    name: str = "orders"
    batch_files: int = 1000
    uploads: dict[str, Upload] = field(default_factory=dict)
    _last_number: int = 0

    deployment: Deployment | None = None
    suffixes: Sequence[str] = ("",)
    """The tables of the ingestion, by what their names end with."""

    def __post_init__(self) -> None:
        self.deployment = self.deployment or Deployment(Settings.from_env(self.environment))
        self.deployment.ledger.register(self.name, f"raw.{self.name}")
        self.ingestion = Ingestion.model_validate(self.attributes)

    @property
    def attributes(self) -> dict[str, Any]:
        """The declaration; failed files are tried again at once."""
        return {
            "name": self.name,
            "source": {"uri": f"s3://{self.bucket}/{self.name}/"},
            "format": {"type": "json"},
            "table": {"identifier": f"raw.{self.name}"},
            "max_rejected_ratio": 0.9,
            "batch": {"max_files": self.batch_files},
            "retries": {"attempts": 1000, "backoff_minutes": [0]},
        }

    def another(self, name: str, *, batch_files: int) -> Self:
        """A world beside this one: a prefix, a table and files of its own in the same services."""
        return type(self)(
            self.environment,
            self.bucket,
            self.client,
            name,
            batch_files,
            deployment=self.deployment,
        )

    def put(self, key: str, *, rows: int = 3, rejected: int = 0, column: str | None = None) -> None:
        """The key has new content, whose row numbers no content had before."""
        numbers = tuple(range(self._last_number + 1, self._last_number + 1 + rows))
        self._last_number += rows + 1
        records = [{"id": n, "word": f"{key} {n}"} for n in numbers]
        if column is not None:
            # Not in the first: a column that every row of a first file has is required for good.
            records[1:] = [{**record, column: "more"} for record in records[1:]]
        self._put(key, records, rejected)
        self.uploads[key] = Upload(numbers, rejected)

    def _put(self, key: str, records: list[dict[str, Any]], rejected: int) -> None:
        lines = [json.dumps(record) for record in records]
        lines += [f"{{broken {self._last_number} {n}" for n in range(rejected)]
        self.put_bytes(key, "\n".join(lines).encode())

    def put_bytes(self, key: str, data: bytes) -> None:
        """The key has this content."""
        self.client.put_object(Bucket=self.bucket, Key=f"{self.name}/{key}", Body=data)

    def ask_for(self, *keys: str) -> list[PlannedBatch]:
        """The batches of a person's run, which is not even recorded in Dagster."""
        with self.deployment.ledger.transaction() as connection:
            return planning.plan_keys(
                connection,
                self.name,
                keys,
                max_files=self.batch_files,
                max_bytes=1024**3,
                run_id="nobody's",
                holder=Holder.this_process(),
            )

    def uri(self, key: str) -> str:
        """The address of a key."""
        return f"s3://{self.bucket}/{self.name}/{key}"

    @property
    def expected_rows(self) -> Rows:
        """Every row of the newest contents, once."""
        return Counter(
            (self.uri(key), number)
            for key, upload in self.uploads.items()
            for number in upload.numbers
        )

    def table(self, suffix: str = "") -> Table | None:
        """The ingestion's table as it is now; None when there is none."""
        try:
            return self.deployment.catalog.load_table(f"raw.{self.name}{suffix}")
        except NoSuchTableError:
            return None

    def rows(self) -> Rows:
        """The rows of the table, of all tables together."""
        found = [row for suffix in self.suffixes for row in self._scan(suffix, "id")]
        return Counter((row["_source_file"], row["id"]) for row in found)

    def rejected_rows(self) -> Counter[str]:
        """How many rejected rows there are of each file."""
        found = [row for suffix in self.suffixes for row in self._scan(f"{suffix}__rejected")]
        return Counter(row["_source_file"] for row in found)

    def _scan(self, suffix: str, *columns: str) -> list[dict[str, Any]]:
        table = self.table(suffix)
        if table is None:
            return []
        return table.scan(selected_fields=("_source_file", *columns)).to_arrow().to_pylist()

    def batch_ids(self) -> list[str]:
        """The batches in `main`, newest first."""
        table = self.table()
        snapshots = ancestors_of(table.current_snapshot(), table.metadata) if table else ()
        found = (s.summary.additional_properties.get("ingest.batch-id") for s in snapshots)
        return [batch_id for batch_id in found if batch_id]

    def files(self) -> list[FileRow]:
        """The ledger."""
        with self.deployment.ledger.transaction() as connection:
            return lookup.files(connection, self.name)

    def query(self, statement: str, **values: object) -> Sequence[Any]:
        """Rows of the ledger's Postgres, or none for a statement that gives none."""
        with self.deployment.ledger.transaction() as connection:
            result = connection.execute(text(statement), {"ingestion": self.name, **values})
            return result.all() if result.returns_rows else ()

    def expire_leases(self) -> None:
        """A minute passes for every worker that does not renew its lease."""
        self.query(
            "UPDATE ingest.batches SET lease_expires_at = now() - interval '1 second' "
            "WHERE ingestion = :ingestion AND status = 'PREPARED'"
        )

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The Dagster instance of the deployment."""
        with open_instance(self.deployment.settings) as instance:
            yield instance

    def assert_green(self) -> None:
        """Dagster has every file's newest content as materialized, and no run that goes on."""
        keys = [partition_key_of(key) for key in self.uploads]
        with self.instance() as instance:
            found = instance.get_status_by_partition(
                asset_key(self.ingestion), keys, partitions_def(self.ingestion)
            )
            assert found == dict.fromkeys(keys, AssetPartitionStatus.MATERIALIZED)
            etags = {}
            for record in instance.fetch_materializations(
                asset_key(self.ingestion), limit=1000
            ).records:
                event = record.asset_materialization
                etags.setdefault(event.partition, event.metadata["etag"].value)
            assert [run.run_id for run in instance.get_runs() if not run.is_finished] == []
        assert etags == {partition_key_of(file.key): file.etag for file in self.files()}

    def is_settled(self) -> bool:
        """No file waits, and no batch."""
        with self.deployment.ledger.transaction() as connection:
            statuses = set(lookup.counts(connection, self.name))
        return statuses <= {"SUCCESS", "DEAD_LETTER"} and not self.query(
            "SELECT 1 FROM ingest.batches WHERE ingestion = :ingestion "
            "AND status IN ('PLANNED', 'PREPARED')"
        )

    def assert_exactly_once(self) -> None:
        """Table, rejected rows and ledger hold the newest content of every key, and no batch waits.

        The ledger's own count of each file's rows is that of the table.
        """
        rows, expected = self.rows(), self.expected_rows
        assert rows == expected, f"too many {rows - expected}, too few {expected - rows}"
        rejected = {self.uri(k): u.rejected for k, u in self.uploads.items() if u.rejected}
        assert self.rejected_rows() == rejected
        ledger = {
            file.key: (file.status, file.rows, file.rejected, file.etag == file.committed_etag)
            for file in self.files()
        }
        assert ledger == {
            key: ("SUCCESS", len(upload.numbers), upload.rejected, True)
            for key, upload in self.uploads.items()
        }
        waiting = "status IN ('PLANNED', 'PREPARED')"
        assert not self.query(
            f"SELECT * FROM ingest.batches WHERE ingestion = :ingestion AND {waiting}"
        )
        assert not self.query(
            "SELECT key FROM ingest.files WHERE ingestion = :ingestion AND batch_id IS NOT NULL"
        )

    def dispose(self) -> None:
        """The ledger's connections are closed."""
        self.deployment.ledger.dispose()

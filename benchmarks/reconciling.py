"""What `ingest-assets reconcile` costs: 100,000 files, a million rows, a folder of objects.

    python -m benchmarks.reconciling [--files 100000]

Ledger and table are filled by hand, as if batches of 1000 files had been ingested. Measured are the
command with nothing to do, with everything in order, and with each file's rows gone.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import yaml
from sqlalchemy import text

from benchmarks import measure
from ingest_assets.deployment import Deployment
from ingest_assets.engine.discovery import discover
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.schema.column import Column
from ingest_assets.settings import Settings
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.target import open_target

ROWS_PER_FILE = 10
FILES_PER_BATCH = 1000
_PROGRAM = Path(sys.executable).parent / "ingest-assets"
_TABLE = "raw.orders"
_COMMITTED = """
    INSERT INTO ingest.batches (batch_id, ingestion, status, origin, snapshot_id, finished_at)
    VALUES ('first', 'orders', 'COMMITTED', 'command', :snapshot_id, now());
    INSERT INTO ingest.attempts (batch_id, file_id, content_id, position, outcome, rows)
    SELECT 'first', file_id, content_id, file_id, 'SUCCESS', :rows FROM ingest.files;
    UPDATE ingest.files SET status = 'SUCCESS', committed_content_id = content_id,
        committed_etag = etag, committed_batch_id = 'first', rows = :rows, rescued = 0,
        rejected = 0, snapshot_id = :snapshot_id, ingested_at = now()
"""


def reconciling(file_count: int) -> None:
    """Each case is printed with its seconds and the peak memory of the command."""
    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        folder = Path(name)
        env = {
            "PATH": os.environ["PATH"],
            "INGEST_HOME": str(folder / "home"),
            "INGEST_DEFS": str(folder / "defs"),
            "INGEST_POSTGRES_URL": server.url,
        }
        deployment, ingestion = _declared(folder, env)
        _print("nothing to compare", env)
        for number in range(file_count):
            path = folder / "landing" / f"{number // 1000:04}" / f"{number:08}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"{}")
        discover(deployment, ingestion)
        _ingest(deployment, ingestion)
        _print(f"{file_count} files, all agree", env)
        _print("the same, source not listed", env, "--no-bucket")
        deployment.catalog.load_table(_TABLE).delete()
        _print(f"{file_count} files, no rows", env)
        deployment.ledger.dispose()


def _declared(folder: Path, env: dict[str, str]) -> tuple[Deployment, Ingestion]:
    for part in ("home", "defs/orders", "landing"):
        (folder / part).mkdir(parents=True)
    attributes = {
        "name": "orders",
        "source": {"uri": f"file://{folder}/landing/"},
        "format": {"type": "json"},
        "table": {"identifier": _TABLE},
    }
    component = {"type": "ingest_assets.components.S3ToIceberg", "attributes": attributes}
    (folder / "defs/orders/defs.yaml").write_text(yaml.safe_dump(component))
    deployment = Deployment(Settings.from_env(env))
    deployment.ledger.register("orders", _TABLE)
    return deployment, Ingestion.model_validate(attributes)


def _ingest(deployment: Deployment, ingestion: Ingestion) -> None:
    """The ledger's files are SUCCESS, and their rows in the table."""
    query = text("SELECT file_id, content_id FROM ingest.files ORDER BY file_id")
    with deployment.ledger.transaction() as connection:
        ids = [tuple(row) for row in connection.execute(query)]
    owner = deployment.owner(ingestion)
    target = open_target(deployment.catalog, _TABLE, TableLayout(), owner, must_exist=False)
    target.evolve((Column("id", pa.int64()),))
    data_files = [file for part in _parts(ids) for file in _written(target, part)]
    committed = commit(Prepared("first", target, data_files, "_file_id", []), lambda: True)
    with deployment.ledger.transaction() as connection:
        values = {"snapshot_id": committed.snapshot_id, "rows": ROWS_PER_FILE}
        for statement in _COMMITTED.split(";"):
            connection.execute(text(statement), values)


def _parts(ids: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(ids), FILES_PER_BATCH):
        yield ids[start : start + FILES_PER_BATCH]


def _written(target, part):  # type: ignore[no-untyped-def]
    count = len(part) * ROWS_PER_FILE
    rows = pa.table(
        {
            "id": pa.array(range(count), pa.int64()),
            "_source_row": pa.array([*range(ROWS_PER_FILE)] * len(part), pa.int64()),
            "_rescued_data": pa.nulls(count, pa.string()),
        }
    )
    origins = [Origin(f"file:///{i}", i, content, ROWS_PER_FILE) for i, content in part]
    writer = DataFileWriter(target, f"first-{part[0][0]}")
    writer.write(with_lineage(rows, origins, datetime.now(UTC)))
    return writer.finish()


def _print(case: str, env: dict[str, str], options: str = "") -> None:
    script = f"{_PROGRAM} reconcile orders --json {options} > $INGEST_HOME/report || test $? = 3"
    cost = measure.run(["sh", "-c", script], env)
    print(
        f"{case}: {cost.wall_seconds:.1f} s, {cost.cpu_seconds:.1f} CPU s, "
        f"{cost.peak_mb:.0f} MB at most"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    reconciling(parser.parse_args().files)

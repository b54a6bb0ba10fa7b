"""Rows are kept of files that succeed, and of no others, whatever happens on the way."""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from ingest_assets.engine import gathered
from ingest_assets.engine.fetching import GROUP_BYTES
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.sink import Sink
from ingest_assets.engine.stager import Stager
from ingest_assets.files.reading import gather
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.source_file import SourceFile
from ingest_assets.files.store import SourceStore
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.schema.column import Column, Columns
from ingest_assets.tables.commit import commit
from ingest_assets.tables.rejected import open_rejected
from ingest_assets_tests.tables.lake import OWNER, Lake

NOW = datetime(2026, 11, 21, tzinfo=UTC)
INGESTION = Ingestion.model_validate(
    {
        "name": "orders",
        "source": {"uri": "s3://b/orders/"},
        "format": {"type": "json"},
        "table": {"identifier": "raw.orders"},
    }
)


@pytest.fixture
def lake(fresh_database: str, tmp_path: Path) -> Iterator[Lake]:
    catalog = SqlCatalog("lake", uri=fresh_database, warehouse=f"file://{tmp_path}")
    yield Lake(catalog)
    catalog.close()


@dataclass
class Bucket:
    """Stands where the store does: bytes of keys, and what happens before one is fetched."""

    bodies: dict[str, bytes]
    before: dict[str, Callable[[], Any]] = field(default_factory=dict)

    def fetch(self, source: SourceFile) -> Content:
        self.before.get(source.key, lambda: None)()
        body = self.bodies[source.key]
        return Content(source.key, len(body), lambda: io.BytesIO(body))


def _staged(
    lake: Lake, bucket: Bucket, columns: Columns, sizes: dict[str, int]
) -> tuple[dict[str, FileOutcome], list[dict[str, Any]]]:
    """What becomes of each file, in the order of `sizes`, and the rows after the commit."""
    state = SchemaState(lake.open(), columns, 1)
    rejected = Sink(open_rejected(lake.catalog, lake.identifier, OWNER), "batch-rejected")
    main = Sink(state.target, "batch")
    stager = Stager(cast(SourceStore, bucket), INGESTION, state, main, rejected, NOW)
    files = [
        ClaimedFile(number, number, SourceFile(key, f"s3://b/{key}", size, "e", NOW), None, 0, 0)
        for number, (key, size) in enumerate(sizes.items(), 1)
    ]
    outcomes = dict(zip(sizes, stager.outcomes(files), strict=True))
    good = [outcome.file_id for outcome in outcomes.values() if outcome.outcome == "SUCCESS"]
    prepared = main.prepared("batch", "_file_id", good)
    assert prepared is not None
    commit(prepared, lambda: True)
    return outcomes, lake.catalog.load_table(lake.identifier).scan().to_arrow().to_pylist()


def test_a_file_whose_rejected_rows_cannot_be_kept_leaves_no_rows(lake: Lake) -> None:
    schema = pa.schema([("raw", pa.int64()), ("reason", pa.string())])
    lake.catalog.create_namespace(lake.identifier.split(".")[0])
    lake.catalog.create_table(f"{lake.identifier}__rejected", schema=schema)
    bucket = Bucket({"a.jsonl": b'{"id":1}\n' * 19 + b"broken\n", "b.jsonl": b'{"id":2}\n'})
    outcomes, rows = _staged(
        lake, bucket, (Column("id", pa.int64()),), {"a.jsonl": 150, "b.jsonl": 9}
    )
    assert {key: outcome.outcome for key, outcome in outcomes.items()} == {
        "a.jsonl": "DEAD_LETTER",
        "b.jsonl": "SUCCESS",
    }
    assert [row["id"] for row in rows] == [2]


def test_what_was_read_ahead_by_a_schema_that_was_undone_loses_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long file adds a nested field and fails; the next was read while it was still there."""
    monkeypatch.setattr(gathered, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(gather, "BLOCK_BYTES", 200)
    has_evolved, is_read = threading.Event(), threading.Event()
    bring, read_together = SchemaState.bring, Stager._read_together

    def slow_bring(self: SchemaState, *arguments: Any) -> None:
        bring(self, *arguments)
        has_evolved.set()
        assert is_read.wait(20)

    def noted_read(self: Stager, *arguments: Any) -> Any:
        try:
            return read_together(self, *arguments)
        finally:
            is_read.set()

    monkeypatch.setattr(SchemaState, "bring", slow_bring)
    monkeypatch.setattr(Stager, "_read_together", noted_read)
    line = b'{"id":1,"where":{"x":1,"y":7}}\n'
    bucket = Bucket(
        {"long.jsonl": line * 40 + b"broken\n" * 30, "next.jsonl": line},
        {"next.jsonl": lambda: has_evolved.wait(20)},
    )
    columns = (Column("id", pa.int64()), Column("where", pa.struct([("x", pa.int64())])))
    outcomes, rows = _staged(
        lake, bucket, columns, {"long.jsonl": GROUP_BYTES + 1, "next.jsonl": len(line)}
    )
    assert outcomes["long.jsonl"].error_type == "RejectedRatioError"
    assert outcomes["next.jsonl"].outcome == "SUCCESS"
    assert [row["where"] for row in rows] == [{"x": 1, "y": 7}]

"""The same files with and without rules of quality: small ones, and a large one, by turns."""

import json
import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.databases import new_database
from benchmarks.ingestion import BUCKET, environment, ingest
from benchmarks.workloads import WORKLOADS, records
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

RULES: list[dict[str, Any]] = [
    {"not_null": ["event_id", "customer_id"], "blocking": True},
    {"unique": ["event_id"]},
    {"accepted": {"column": "status", "values": ["new", "paid", "shipped", "returned"]}},
    {"range": {"column": "amount", "min": 0, "max": 500}, "on_fail": "reject_rows"},
    {"pattern": {"column": "currency", "regex": "[A-Z]{3}"}},
    {"sql": "quantity > 0 AND discount <= 1"},
]
_LARGE_BYTES = 100_000_000


def measure(repeat: int) -> dict[str, Any]:
    """CPU seconds and peak memory of 200 files of 67 KB and of one of 100 MB, both ways."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        DemoObjectStore(Path(folder) / "s3") as store,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        os.environ.update(store.env())
        for key, body in WORKLOADS["A"].files(0.1):
            store.put(BUCKET, f"small/{key}", body)
        store.put(BUCKET, "large/all.jsonl", _large())
        found: dict[str, Any] = {}
        for prefix in ("small", "large"):
            costs: dict[str, list[Any]] = {"without": [], "with": [], "idle": []}
            for number in range(repeat):
                for name, rules in (("without", []), ("with", RULES)):
                    place = f"{prefix}_{name}_{number}"
                    database = new_database(postgres.url, place)
                    env = environment(Path(folder) / place, database, "json", prefix, rules)
                    costs[name].append(ingest(env))
                    if not rules:
                        costs["idle"].append(ingest(env))
            found[prefix] = {
                name: {
                    "cpu_seconds": [round(cost.cpu_seconds, 2) for cost in spent],
                    "median_cpu_seconds": round(median(c.cpu_seconds for c in spent), 2),
                    "peak_mb": round(max(cost.peak_mb for cost in spent)),
                }
                for name, spent in costs.items()
            }
        return found


def _large() -> bytes:
    """Rows of the small files, each once, so that all keys differ."""
    lines, size = [], 0
    for row in records(1_000_000):
        lines.append(json.dumps(row).encode() + b"\n")
        size += len(lines[-1])
        if size >= _LARGE_BYTES:
            break
    return b"".join(lines)

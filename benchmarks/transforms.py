"""What a transform costs beside reading alone: CPU of both in one process, memory of each alone.

Reading is measured up to Arrow; what follows, writing and committing, is the same for the same
rows. `keeps half` filters by one column and takes all of them.
"""

import io
import json
import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import FormatType, Reader, reader_for
from ingest_assets.files.reading.transformed import TransformedReader
from ingest_assets.schema.column import Columns
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.transforms.declared_transform import transform_of

VARIANTS = {
    "none": None,
    "keeps half": "select * from source where amount > 50",
    "derives": "select *, amount * 1.19 as gross, upper(customer) as who from source",
    "whole file": "select customer, sum(amount) as amount from source group by customer",
}
_SMALL_FILES, _SMALL_ROWS, _GROUP = 500, 50, 64
_LARGE_BYTES = 100_000_000


def measure(repeat: int) -> list[dict[str, Any]]:
    """A row for each input and variant: the best CPU seconds of `repeat`, and the peak memory."""
    found = []
    for title, format_type, make, read in _inputs():
        files = make()
        best: dict[str, float] = {}
        rows: dict[str, int] = {}
        for _ in range(repeat):
            for variant, sql in VARIANTS.items():
                rows[variant], seconds = _timed(format_type, files, sql, read)
                best[variant] = min(seconds, best.get(variant, seconds))
        found += [
            {
                "input": title,
                "transform": variant,
                "rows": rows[variant],
                "cpu_seconds": round(best[variant], 3),
                "peak_mb": _peak_mb(title, variant),
            }
            for variant in VARIANTS
        ]
    return found


Read = Callable[[Reader, Sequence[Content], Columns], int]


def _inputs() -> list[tuple[str, FormatType, Callable[[], Sequence[Content]], Read]]:
    return [
        ("500 JSON files of 5 KB", "json", _small_files, _read_together),
        ("a CSV file of 100 MB", "csv", _large_file, _read_alone),
    ]


def _timed(
    format_type: FormatType, files: Sequence[Content], sql: str | None, read: Read
) -> tuple[int, float]:
    reader: Reader = reader_for(format_type, {})
    if sql is not None:
        known = KnownSource()
        reader = TransformedReader(reader, transform_of(sql), known)
    first = Content(files[0].name, 20_000, lambda: io.BytesIO(files[0].open().read(20_000)))
    columns = decide(None, reader.observe(first, None), SchemaRules()).target
    if sql is not None:
        known.keep(first)
    started = time.process_time()
    return read(reader, files, columns), time.process_time() - started


def _read_together(reader: Reader, files: Sequence[Content], columns: Columns) -> int:
    groups = [files[n : n + _GROUP] for n in range(0, len(files), _GROUP)]
    return sum(reader.read_together(group, columns).rows.num_rows for group in groups)


def _read_alone(reader: Reader, files: Sequence[Content], columns: Columns) -> int:
    return sum(chunk.rows.num_rows for f in files for chunk in reader.read_fast(f, columns))


def _rows(count: int) -> list[dict[str, Any]]:
    rng = random.Random(7)
    return [
        {
            "order_id": number,
            "customer": f"customer {rng.randint(1, 5000)}",
            "amount": rng.randint(0, 10_000) / 100,
            "placed_at": f"2026-01-{rng.randint(1, 28):02}T08:00:{rng.randint(0, 59):02}Z",
            "note": "x" * rng.randint(0, 20),
        }
        for number in range(count)
    ]


def _content(name: str, body: bytes) -> Content:
    return Content(name, len(body), lambda: io.BytesIO(body))


def _small_files() -> Sequence[Content]:
    rows = _rows(_SMALL_FILES * _SMALL_ROWS)
    return [
        _content(
            f"{n}.jsonl",
            "".join(
                json.dumps(row) + "\n" for row in rows[n * _SMALL_ROWS :][:_SMALL_ROWS]
            ).encode(),
        )
        for n in range(_SMALL_FILES)
    ]


def _large_file() -> Sequence[Content]:
    rows = _rows(20_000)
    lines = "".join(",".join(str(value) for value in row.values()) + "\n" for row in rows).encode()
    body = ",".join(rows[0]).encode() + b"\n" + lines * (_LARGE_BYTES // len(lines))
    return [_content("large.csv", body)]


def _peak_mb(title: str, variant: str) -> int:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_alone, (title, variant))


def _alone(title: str, variant: str) -> int:
    """The peak memory of a process of its own, less what the input itself takes."""
    for name, format_type, make, read in _inputs():
        if name == title:
            files = make()
            # The kernel's peak so far is forgotten: proc(5), clear_refs.
            Path("/proc/self/clear_refs").write_text("5")
            before = _peak_kb()
            _timed(format_type, files, VARIANTS[variant], read)
            return (_peak_kb() - before) // 1024
    raise ValueError(title)


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

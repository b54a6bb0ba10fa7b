"""Orders as three producers would write them, and the same damaged in the ways that happen."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def orders(first_id: int, count: int = 3, **changes: Any) -> list[Row]:
    """Rows with the ids from `first_id` on; `changes` replace or add fields in each."""
    return [
        {
            "order_id": order_id,
            "customer": f"customer {order_id % 7}",
            "amount": order_id + 0.5,
            "ordered_at": f"2026-11-{order_id % 28 + 1:02d}T08:00:00Z",
            **changes,
        }
        for order_id in range(first_id, first_id + count)
    ]


def json_lines(rows: Sequence[Row]) -> bytes:
    """A line a row."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def csv_file(rows: Sequence[Row]) -> bytes:
    """With a header, parted by commas."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def parquet_file(rows: Sequence[Row]) -> bytes:
    """One row group."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def cut_gzip(rows: Sequence[Row]) -> bytes:
    """Compressed JSON lines whose upload broke off at half its length."""
    whole = gzip.compress(json_lines(rows), mtime=0)
    return whole[: len(whole) // 2]

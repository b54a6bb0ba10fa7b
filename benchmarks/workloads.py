"""The workloads: files of a known shape, made from a seed, put on an S3 server.

A: 2000 JSON-lines files of about 67 KB: 12 fields, one of them nested, 250 rows each.
B: one CSV file of about 500 MB.
C: 200 Parquet files of about 1 MB.
"""

import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SEED = 20261121
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Workload:
    """What is ingested, and how duckdb reads the same files for the floor."""

    name: str
    format: str
    rows: int
    files: Callable[[float], Iterator[tuple[str, bytes]]]
    floor_scan: str


def _json_files(scale: float) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(SEED)
    for number in range(round(2000 * scale)):
        lines = [json.dumps(_record(draw, number * 250 + row)) for row in range(250)]
        yield f"part-{number:05d}.jsonl", "\n".join(lines).encode() + b"\n"


def records(count: int) -> Iterator[dict[str, object]]:
    """The first rows of workload A."""
    draw = random.Random(SEED)
    return (_record(draw, number) for number in range(count))


def _record(draw: random.Random, number: int) -> dict[str, object]:
    moment = _START + timedelta(seconds=number)
    return {
        "event_id": f"{number:012d}-{draw.getrandbits(32):08x}",
        "customer_id": draw.randrange(1_000_000),
        "created_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": draw.choice(["new", "paid", "shipped", "returned"]),
        "amount": round(draw.random() * 500, 2),
        "quantity": draw.randrange(1, 20),
        "currency": draw.choice(["EUR", "USD", "GBP"]),
        "is_gift": draw.random() < 0.1,
        "note": None if draw.random() < 0.7 else "leave at the door",
        "channel": draw.choice(["web", "app", "store"]),
        "discount": round(draw.random(), 3),
        "address": {"city": draw.choice(["Bern", "Lyon", "Graz"]), "zip": f"{number % 99999:05d}"},
    }


def _csv_file(scale: float) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(SEED)
    out = io.StringIO()
    out.write("id,customer,created_at,status,amount,quantity,city,comment\n")
    row = 0
    while out.tell() < 500e6 * scale:
        moment = _START + timedelta(seconds=row)
        comment = '"left, at the door"' if row % 7 == 0 else "none"
        out.write(
            f"{row},C{draw.randrange(10**6):07d},{moment:%Y-%m-%d %H:%M:%S},"
            f"{('new', 'paid', 'shipped')[row % 3]},{draw.random() * 500:.2f},{row % 20},"
            f"{('Bern', 'Lyon', 'Graz')[row % 3]},{comment}\n"
        )
        row += 1
    yield "big.csv", out.getvalue().encode()


def _parquet_files(scale: float) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(SEED)
    rows = 26_000
    for number in range(round(200 * scale)):
        ids = pa.array(range(number * rows, (number + 1) * rows))
        table = pa.table(
            {
                "id": ids,
                "user": pa.array([draw.randrange(10**9) for _ in range(rows)]),
                "value": pa.array([draw.random() for _ in range(rows)]),
                "kind": pc.cast(pc.bit_wise_and(ids, pa.scalar(7)), pa.string()),
                "at": pa.array(
                    [_START + timedelta(seconds=number * rows + row) for row in range(rows)],
                    pa.timestamp("us", tz="UTC"),
                ),
                "token": pa.array([f"{draw.getrandbits(64):016x}" for _ in range(rows)]),
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        yield f"part-{number:05d}.parquet", sink.getvalue()


WORKLOADS = {
    "A": Workload("A", "json", 500_000, _json_files, "read_json('{folder}/*.jsonl')"),
    "B": Workload("B", "csv", 0, _csv_file, "read_csv('{folder}/*.csv')"),
    "C": Workload("C", "parquet", 5_200_000, _parquet_files, "read_parquet('{folder}/*.parquet')"),
}

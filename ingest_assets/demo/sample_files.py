"""The demo's files: three producers, some days of a small shop, and what goes wrong in practice."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ingest_assets.demo.sample_rows import event, moment, order, shipment

BUCKET = "landing"

_FILES_A_DAY = 6
_ORDERS_A_FILE = 80
_SHIPMENTS_A_FILE = 60
_EVENTS_A_FILE = 400
_FIRST_BURST = 3

_EVENT_FIELDS: list[tuple[str, pa.DataType]] = [
    ("event_id", pa.string()),
    ("user_id", pa.int64()),
    ("event_type", pa.string()),
    ("occurred_at", pa.timestamp("us", tz="UTC")),
    ("page", pa.string()),
    ("duration_ms", pa.int64()),
    (
        "context",
        pa.struct(
            [
                ("referrer", pa.string()),
                ("device", pa.struct([("os", pa.string()), ("browser", pa.string())])),
            ]
        ),
    ),
]


class Arrival(NamedTuple):
    """One upload: `delay_seconds` after the one before it."""

    delay_seconds: float
    bucket: str
    key: str
    body: bytes


class _Upload(NamedTuple):
    at_share: float
    key: str
    body: bytes


SURPRISES = {
    "orders/2026/11/19/orders-0005.jsonl.gz": "is cut short in the middle of its gzip stream",
    "orders/2026/11/20/orders-0007.jsonl.gz": "has 4 lines that are no JSON objects, and a "
    "quantity that is a word",
    "orders/2026/11/20/orders-0009.jsonl.gz": "brings a new column, coupon_code",
    "orders/2026/11/20/orders-0011.jsonl": "is empty",
    "orders/2026/11/20/orders-0012.jsonl.gz": "has an object where total_amount was a number",
    "orders/2026/11/19/orders-0002.jsonl": "is uploaded again with every order paid",
    "shipments/2026/11/20/shipments-0008.csv": "has a weight that is no number and a row that "
    "is too short",
    "shipments/2026/11/20/shipments-0010.csv": "lacks the column weight_kg",
    "events/2026/11/20/events-0009.parquet": "brings a new column, app_version",
}


def arrivals(seed: int = 7, duration_seconds: float = 60.0) -> Iterator[Arrival]:
    """The uploads in their order; the same bytes for the same seed.

    The first files of each producer come at once, the others spread over the duration, and the
    corrected file last.
    """
    uploads = [*_orders(seed), *_shipments(seed), *_events(seed)]
    uploads.append(_corrected_orders(seed))
    previous = 0.0
    for upload in sorted(uploads, key=lambda upload: (upload.at_share, upload.key)):
        at_seconds = upload.at_share * duration_seconds
        yield Arrival(round(at_seconds - previous, 3), BUCKET, upload.key, upload.body)
        previous = at_seconds


def _orders(seed: int) -> Iterator[_Upload]:
    changes: dict[int, Callable[[list[dict[str, Any]]], None]] = {
        7: _quantity_in_words,
        9: _add_coupons,
        12: _amounts_become_objects,
    }
    for number in range(1, 17):
        rows = _order_rows(seed, number)
        changes.get(number, _leave_alone)(rows)
        body = _json_lines(rows)
        if number == 7:
            body = _spoil_lines(body)
        if number == 11:
            body = b""
        # The shop's exporter compresses from its third file on, but not an empty one.
        if number >= 3 and body:
            body = gzip.compress(body, mtime=0)
        if number == 5:
            body = body[: len(body) * 2 // 3]
        suffix = "jsonl.gz" if number >= 3 and body else "jsonl"
        yield _Upload(_share(number, 16), _key("orders", number, suffix), body)


def _corrected_orders(seed: int) -> _Upload:
    rows = _order_rows(seed, 2)
    for row in rows:
        row["status"] = "paid"
    return _Upload(1.0, _key("orders", 2, "jsonl"), _json_lines(rows))


def _shipments(seed: int) -> Iterator[_Upload]:
    for number in range(1, 13):
        random = Random(f"{seed} shipments {number}")
        rows = [
            shipment(random, number * 1000 + i, moment(random, number, _FILES_A_DAY))
            for i in range(_SHIPMENTS_A_FILE)
        ]
        if number == 8:
            rows[3]["weight_kg"] = "heavy"
        if number == 10:
            for row in rows:
                del row["weight_kg"]
        body = _csv(rows)
        if number == 8:
            body = body.replace(body.splitlines()[21], b"8020,50123,dhl", 1)
        yield _Upload(_share(number, 12), _key("shipments", number, "csv"), body)


def _events(seed: int) -> Iterator[_Upload]:
    for number in range(1, 13):
        random = Random(f"{seed} events {number}")
        rows = [event(random, moment(random, number, _FILES_A_DAY)) for _ in range(_EVENTS_A_FILE)]
        fields = list(_EVENT_FIELDS)
        if number >= 9:
            fields.append(("app_version", pa.string()))
            for row in rows:
                row["app_version"] = random.choice(("4.1.0", "4.1.1"))
        table = pa.Table.from_pylist(rows, schema=pa.schema(fields))
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        yield _Upload(_share(number, 12), _key("events", number, "parquet"), sink.getvalue())


def _order_rows(seed: int, number: int) -> list[dict[str, Any]]:
    random = Random(f"{seed} orders {number}")
    first_id = 50_000 + number * _ORDERS_A_FILE
    return [
        order(random, first_id + i, moment(random, number, _FILES_A_DAY))
        for i in range(_ORDERS_A_FILE)
    ]


def _leave_alone(rows: list[dict[str, Any]]) -> None:
    pass


def _quantity_in_words(rows: list[dict[str, Any]]) -> None:
    rows[10]["items"][0]["quantity"] = "two"


def _add_coupons(rows: list[dict[str, Any]]) -> None:
    for i, row in enumerate(rows):
        row["coupon_code"] = "AUTUMN10" if i % 5 == 0 else None


def _amounts_become_objects(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        row["total_amount"] = {"value": row["total_amount"], "currency": row.pop("currency")}


def _spoil_lines(body: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    lines[20] = lines[20][:60] + b"\n"
    lines[31] = b"-- export resumed --\n"
    lines[45] = b"42\n"
    lines[66] = lines[66].replace(b'"currency": "EUR"', b'"currency": EUR')
    return b"".join(lines)


def _json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _csv(rows: list[dict[str, str]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def _key(name: str, number: int, suffix: str) -> str:
    """Six files stand for a day, beginning on the 19th."""
    day = 19 + (number - 1) // _FILES_A_DAY
    return f"{name}/2026/11/{day:02d}/{name}-{number:04d}.{suffix}"


def _share(number: int, count: int) -> float:
    """When in the duration: the first burst at its start, the last one before the end."""
    return max(0, number - _FIRST_BURST) / (count - _FIRST_BURST + 1)

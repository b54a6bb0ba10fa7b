"""The demo's files are what the demo says they are."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import ingest_assets.demo
from ingest_assets.demo.sample_files import BUCKET, SURPRISES, Arrival, arrivals

_DEFS = sorted(Path(ingest_assets.demo.__file__).parent.glob("defs/*/defs.yaml"))


@pytest.fixture(scope="module")
def uploads() -> list[Arrival]:
    return list(arrivals())


def _body(uploads: list[Arrival], name: str) -> bytes:
    return next(upload.body for upload in uploads if name in upload.key)


def _orders(uploads: list[Arrival], number: int) -> list[dict[str, Any]]:
    body = _body(uploads, f"orders-{number:04d}")
    body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    return [json.loads(line) for line in body.splitlines()]


def _shipments(uploads: list[Arrival], number: int) -> list[dict[str | None, Any]]:
    text = _body(uploads, f"shipments-{number:04d}").decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(
    uploads: list[Arrival],
) -> None:
    assert list(arrivals()) == uploads
    assert [upload.body for upload in arrivals(seed=8)] != [upload.body for upload in uploads]


def test_a_few_dozen_files_arrive_within_a_minute(uploads: list[Arrival]) -> None:
    assert len(uploads) == 41
    assert {upload.bucket for upload in uploads} == {BUCKET}
    assert all(upload.delay_seconds >= 0 for upload in uploads)
    assert sum(upload.delay_seconds for upload in uploads) == pytest.approx(60, abs=0.1)
    assert sum(upload.delay_seconds == 0 for upload in uploads[:9]) == 9


def test_every_surprise_names_an_uploaded_file(uploads: list[Arrival]) -> None:
    assert set(SURPRISES) <= {upload.key for upload in uploads}


def test_one_key_is_uploaded_twice_with_other_content_at_the_end(uploads: list[Arrival]) -> None:
    keys = [upload.key for upload in uploads]
    twice = {key for key in keys if keys.count(key) > 1}
    assert twice == {uploads[-1].key}
    assert SURPRISES[uploads[-1].key] == "is uploaded again with every order paid"
    statuses = [json.loads(line)["status"] for line in uploads[-1].body.splitlines()]
    assert set(statuses) == {"paid"}
    assert {order["status"] for order in _orders(uploads, 2)} > {"paid"}


def test_the_corrupt_file_breaks_off(uploads: list[Arrival]) -> None:
    with pytest.raises(EOFError):
        gzip.decompress(_body(uploads, "orders-0005"))


def test_the_file_with_bad_rows_has_four_of_eighty(uploads: list[Arrival]) -> None:
    good = []
    for line in gzip.decompress(_body(uploads, "orders-0007")).splitlines():
        try:
            good.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    rows = [row for row in good if isinstance(row, dict)]
    assert (len(good), len(rows)) == (77, 76)
    quantities = {item["quantity"] for row in rows for item in row["items"]}
    assert {quantity for quantity in quantities if isinstance(quantity, str)} == {"two"}


def test_orders_change_as_announced(uploads: list[Arrival]) -> None:
    assert "coupon_code" not in _orders(uploads, 8)[0]
    assert "coupon_code" in _orders(uploads, 9)[0]
    assert _body(uploads, "orders-0011") == b""
    assert all(isinstance(row["total_amount"], dict) for row in _orders(uploads, 12))
    assert all(isinstance(row["total_amount"], float) for row in _orders(uploads, 13))


def test_order_numbers_are_unique_over_the_files(uploads: list[Arrival]) -> None:
    numbers = [
        row["order_id"]
        for number in (1, 2, 3, 4, 6, 8, 9, 10, 12, 13, 14, 15, 16)
        for row in _orders(uploads, number)
    ]
    assert len(numbers) == len(set(numbers)) == 13 * 80


def test_shipments_change_as_announced(uploads: list[Arrival]) -> None:
    rows = _shipments(uploads, 8)
    assert [row["weight_kg"] for row in rows].count("heavy") == 1
    assert [row["tracking_number"] for row in rows].count(None) == 1
    assert len(rows) == 60
    assert "weight_kg" not in _shipments(uploads, 10)[0]
    assert all(row["tracking_number"].startswith("000") for row in _shipments(uploads, 1))


def test_events_gain_a_column(uploads: list[Arrival]) -> None:
    names = [
        pq.read_schema(io.BytesIO(_body(uploads, f"events-{number:04d}"))).names
        for number in (8, 9, 12)
    ]
    assert ["app_version" in found for found in names] == [False, True, True]


@pytest.mark.parametrize("path", _DEFS, ids=[path.parent.name for path in _DEFS])
def test_every_declaration_finds_its_files(path: Path, uploads: list[Arrival]) -> None:
    declared = yaml.safe_load(path.read_text())["attributes"]
    assert declared["name"] == path.parent.name
    assert declared["table"]["identifier"] == f"raw.{path.parent.name}"
    prefix = declared["source"]["uri"].removeprefix(f"s3://{BUCKET}/")
    assert any(upload.key.startswith(prefix) for upload in uploads)


def test_there_are_three_declarations() -> None:
    assert [path.parent.name for path in _DEFS] == ["events", "orders", "shipments"]

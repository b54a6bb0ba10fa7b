"""A column of each declared type is filled by the files of each format."""

import csv
import datetime
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingest_assets.schema.types import parse_type
from ingest_assets_tests.end_to_end.workshop import Workshop

NOON = datetime.datetime(2026, 11, 21, 12, 0, 0, 250_000)  # noqa: DTZ001
SCALARS: dict[str, tuple[str, Any, Any]] = {
    "a": ("boolean", True, True),
    "b": ("int", 7, 7),
    "c": ("long", 2**40, 2**40),
    "d": ("float", 0.5, 0.5),
    "e": ("double", 1e300, 1e300),
    "f": ("date", "2026-11-21", NOON.date()),
    "g": ("time", "12:00:00.25", NOON.time()),
    "h": ("timestamp", "2026-11-21T12:00:00.25", NOON),
    "i": ("timestamptz", "2026-11-21T12:00:00.25Z", NOON.replace(tzinfo=datetime.UTC)),
    "j": ("string", "007", "007"),
    "k": ("binary", "xyz", b"xyz"),
    "l": ("decimal(10,2)", 12.25, Decimal("12.25")),
    "m": ("fixed(3)", "xyz", b"xyz"),
}
NESTED: dict[str, tuple[str, Any, Any]] = {
    "n": ("list<int>", [1, None], [1, None]),
    "o": ("struct<x: date, y: decimal(4,1)>", {"x": "2026-11-21", "y": 1.5}, None),
    "p": ("map<string, long>", {"k": 1}, [("k", 1)]),
    "q": ("list<struct<x: map<string, list<float>>>>", [{"x": {"k": [0.5]}}], None),
}
NESTED["o"] = (*NESTED["o"][:2], {"x": NOON.date(), "y": Decimal("1.5")})
NESTED["q"] = (*NESTED["q"][:2], [{"x": [("k", [0.5])]}])
Kinds = dict[str, tuple[str, Any, Any]]


def check(workshop: Workshop, format_type: str, kinds: Kinds, body: bytes) -> None:
    columns = [
        {"name": name, "type": words, "required": True} for name, (words, _, _) in kinds.items()
    ]
    rules = {"columns": columns, "on_new_column": "review"}
    for key in ("x", "y"):
        workshop.put(key, body)
    result = workshop.ingest(format={"type": format_type}, schema=rules)
    assert result.counts == {"SUCCESS": 2}, workshop.files()
    for row in workshop.rows():
        assert row["_rescued_data"] is None
        assert {name: row[name] for name in kinds} == {n: kind[2] for n, kind in kinds.items()}


def test_json_fills_a_column_of_each_type(workshop: Workshop) -> None:
    kinds = {**SCALARS, **NESTED}
    body = json.dumps({name: kind[1] for name, kind in kinds.items()}).encode()
    check(workshop, "json", kinds, body)


def test_csv_fills_a_column_of_each_type_that_is_not_nested(workshop: Workshop) -> None:
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(SCALARS)
    writer.writerow(
        [str(kind[1]).lower() if kind[1] is True else kind[1] for kind in SCALARS.values()]
    )
    check(workshop, "csv", SCALARS, sink.getvalue().encode())


def test_parquet_fills_a_column_of_each_type(workshop: Workshop) -> None:
    kinds = {**SCALARS, **NESTED}
    table = pa.table(
        {name: pa.array([kind[2]], parse_type(kind[0])) for name, kind in kinds.items()}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    check(workshop, "parquet", kinds, sink.getvalue())

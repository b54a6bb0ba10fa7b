"""Every format in every compression: clean, dirty, empty and cut short, with the same rows out."""

import bz2
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import cramjam
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree
from pyarrow import orc
from pyspark.sql import SparkSession

from ingest_assets_tests.end_to_end.sample_orders import Row, csv_file, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

pytestmark = pytest.mark.slow

_CODECS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
}


def _avro(rows: list[Row]) -> bytes:
    types = {str: "string", int: "long", float: "double"}
    fields = [{"name": k, "type": ["null", types[type(v)]]} for k, v in rows[0].items()]
    sink = io.BytesIO()
    schema = fastavro.parse_schema({"type": "record", "name": "Order", "fields": fields})
    fastavro.writer(sink, schema, rows, codec="deflate")
    return sink.getvalue()


def _orc(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    orc.write_table(pa.Table.from_pylist(rows), sink, compression="zlib")
    return sink.getvalue()


def _parquet(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _xml(rows: list[Row]) -> bytes:
    root = etree.Element("orders")
    for row in rows:
        order = etree.SubElement(root, "order", order_id=str(row["order_id"]))
        for name in list(row)[1:]:
            etree.SubElement(order, name).text = str(row[name])
    return bytes(etree.tostring(root, xml_declaration=True))


_FORMATS: dict[str, tuple[dict[str, Any], Callable[[list[Row]], bytes]]] = {
    "json lines": ({"type": "json"}, json_lines),
    "json array": ({"type": "json"}, lambda rows: json.dumps(rows, indent=1).encode()),
    "json records": (
        {"type": "json", "options": {"record_path": "data.orders"}},
        lambda rows: json.dumps({"data": {"count": len(rows), "orders": rows}}).encode(),
    ),
    "csv": ({"type": "csv"}, csv_file),
    "parquet": ({"type": "parquet"}, _parquet),
    "avro": ({"type": "avro"}, _avro),
    "orc": ({"type": "orc"}, _orc),
    "xml": ({"type": "xml"}, _xml),
}
_OF_LINES = ("json lines", "csv")
_CLEAN = orders(1, 40)
_ODD_ID = 120
_TOO_LONG = 2**53 + 1
"""No double holds it."""


def _dirty(name: str, write: Callable[[list[Row]], bytes]) -> bytes:
    """One value does not fit its column; where rows can be told apart, one row is no record."""
    rows = orders(101, 40)
    if name in ("parquet", "avro", "orc"):
        return write([row | {"amount": _amount(row)} for row in rows])
    rows = [row | {"amount": "much"} if row["order_id"] == _ODD_ID else row for row in rows]
    data = write(rows)
    return data + {"json lines": b'{"order_id": 1,\n', "csv": b"1,2,3\n"}.get(name, b"")


def _amount(row: Row) -> int:
    return _TOO_LONG if row["order_id"] == _ODD_ID else row["order_id"]


def _cut(name: str, suffix: str, data: bytes) -> bytes:
    """Two thirds; of plain text up to where a record is no record any more."""
    end = len(data) * 2 // 3
    if suffix == "none" and name in _OF_LINES:
        end = data.rindex(b"\n", 0, end) + 5
    return data[:end]


@pytest.mark.parametrize("name", _FORMATS)
def test_the_same_rows_whatever_the_compression(workshop: Workshop, name: str) -> None:
    _check_matrix(workshop, name, "local")


@pytest.mark.alone
@pytest.mark.parametrize("name", _FORMATS)
def test_the_same_rows_on_a_spark_cluster(
    workshop: Workshop, spark_session: SparkSession, name: str
) -> None:
    _check_matrix(workshop, name, "spark")


def _check_matrix(workshop: Workshop, name: str, engine: str) -> None:
    declared, write = _FORMATS[name]
    whole = write(_CLEAN)
    files = {
        "0-clean": whole,
        "1-dirty": _dirty(name, write),
        "2-empty": b"",
        "3-no-rows": _no_rows(name),
    }
    for suffix, compress in _CODECS.items():
        for key, data in files.items():
            workshop.put(f"{key}.{suffix}", compress(data))
        workshop.put(f"4-cut.{suffix}", _cut(name, suffix, compress(whole)))
    workshop.ingest(format=declared, engine=engine)
    known = workshop.files()
    found = {key: known[key] for key in sorted(known)}
    for suffix in _CODECS:
        for key in files:
            status = found[f"{key}.{suffix}"].status
            assert status == "SUCCESS", (key, suffix, found[f"{key}.{suffix}"].error)
        is_text = name in _OF_LINES and suffix == "none"
        cut = found[f"4-cut.{suffix}"]
        assert cut.status == ("SUCCESS" if is_text else "DEAD_LETTER"), (suffix, cut.error)
        assert is_text or f"4-cut.{suffix}" in str(cut.error)
    rows = _by_file(workshop)
    assert [_told(row) for row in rows["0-clean.none"]] == [_told(row) for row in _CLEAN]
    dirty = rows["1-dirty.none"]
    assert [row["order_id"] for row in dirty] == list(range(101, 141))
    [odd] = [row for row in dirty if row["_rescued_data"] is not None]
    assert (odd["order_id"], odd["amount"]) == (_ODD_ID, None)
    assert json.loads(odd["_rescued_data"])["amount"] in ("much", _TOO_LONG)
    for suffix in _CODECS:
        assert rows[f"0-clean.{suffix}"] == rows["0-clean.none"]
        assert rows[f"1-dirty.{suffix}"] == dirty
        assert f"2-empty.{suffix}" not in rows
        assert f"3-no-rows.{suffix}" not in rows
    rejected = [row["_source_file"] for row in workshop.rows("raw.orders__rejected")]
    assert len(rejected) == (len(_CODECS) + 1 if name in _OF_LINES else 0)


def _no_rows(name: str) -> bytes:
    """A whole file that has no rows."""
    empty = pa.Table.from_pylist(_CLEAN).slice(0, 0)
    sink = io.BytesIO()
    match name:
        case "json lines":
            return b"\n\n"
        case "json array":
            return b"[\n]"
        case "json records":
            return b'{"data": {"orders": []}}'
        case "csv":
            return csv_file(_CLEAN[:1]).splitlines(keepends=True)[0]
        case "parquet":
            pq.write_table(empty, sink)
        case "orc":
            orc.write_table(empty, sink)
        case "avro":
            return _avro_header()
        case _:
            return b"<orders/>"
    return sink.getvalue()


def _avro_header() -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "Order", "fields": [{"name": "order_id", "type": "long"}]}
    fastavro.writer(sink, fastavro.parse_schema(schema), [])
    return sink.getvalue()


def _by_file(workshop: Workshop) -> dict[str, list[Row]]:
    """The rows of each file, in their order, without what tells one file from another."""
    found: dict[str, list[Row]] = {}
    for row in workshop.rows():
        key = row.pop("_source_file").rsplit("/", 1)[-1]
        for name in ("_file_id", "_content_id", "_source_row", "_ingested_at"):
            del row[name]
        found.setdefault(key, []).append(row)
    return found


def _told(row: Row) -> tuple[Any, ...]:
    """What a row says; a moment is a text where the file has it as one."""
    at = row["ordered_at"]
    at = at if isinstance(at, str) else at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return row["order_id"], row["customer"], row["amount"], at, row.get("_rescued_data")

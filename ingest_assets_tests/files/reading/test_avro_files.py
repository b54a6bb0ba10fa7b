"""Avro object container files: every type, codec and damage."""

import bz2
import contextlib
import datetime
import io
import json
import lzma
import uuid
import zlib
from decimal import Decimal
from typing import Any

import cramjam
import fastavro
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ingest_assets.errors import (
    CorruptFileError,
    FileContentError,
    UnsupportedTypeError,
    WrongFormatError,
)
from ingest_assets.files.reading import avro_container
from ingest_assets.schema.column import Column
from ingest_assets.schema.types import format_type, parse_type
from ingest_assets_tests.files.reading.contents import (
    avro,
    carefully,
    columns_of,
    fast,
)

_UTC = datetime.UTC
_UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def _logical(type_: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": name, **more}


def _decimal(precision: int, scale: int) -> dict[str, Any]:
    return _logical("bytes", "decimal", precision=precision, scale=scale)


def _fixed(size: int, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": "F", "size": size, **more}


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=_UTC)
_MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=_UTC)
_WALL = _MOMENT.replace(tzinfo=None)
_E = {"type": "enum", "name": "E", "symbols": ["NEW", "PAID"]}
_POINT = {"type": "record", "name": "Point", "fields": [{"name": "X", "type": "int"}]}


@pytest.mark.parametrize(
    ("type_", "written", "words", "value"),
    [
        ("boolean", True, "boolean", True),
        ("int", -5, "int", -5),
        ("long", 2**62, "long", 2**62),
        ("float", 1.5, "float", 1.5),
        ("double", 0.1, "double", 0.1),
        ("bytes", b"\x00\xff", "binary", b"\x00\xff"),
        ("string", "é", "string", "é"),
        (_E, "PAID", "string", "PAID"),
        (_fixed(3), b"abc", "fixed(3)", b"abc"),
        (_POINT, {"X": 1}, "struct<x: int>", {"x": 1}),
        ({"type": "array", "items": ["null", "int"]}, [1, None], "list<int>", [1, None]),
        (
            {"type": "map", "values": "long"},
            {"a b": 1},
            "map<string, long>",
            [("a b", 1)],
        ),
        (_logical("int", "date"), datetime.date(2024, 1, 2), "date", datetime.date(2024, 1, 2)),
        (_logical("int", "time-millis"), datetime.time(1, 2, 3, 4000), "time", None),
        (_logical("long", "time-micros"), datetime.time(1, 2, 3, 4), "time", None),
        (_logical("long", "timestamp-millis"), _MOMENT, "timestamptz", None),
        (_logical("long", "timestamp-micros"), _MOMENT, "timestamptz", None),
        (_logical("long", "local-timestamp-millis"), _WALL, "timestamp", None),
        (_logical("long", "local-timestamp-micros"), _WALL, "timestamp", None),
        (_logical("long", "timestamp-nanos"), 1_000, "timestamptz", _EPOCH.replace(microsecond=1)),
        (_decimal(9, 2), Decimal("-12.34"), "decimal(9,2)", None),
        (_fixed(5, logicalType="decimal", precision=9), Decimal(-12), "decimal(9,0)", None),
        (_logical("string", "uuid"), _UUID, "string", str(_UUID)),
        (_fixed(16, logicalType="uuid"), _UUID.bytes, "string", str(_UUID)),
        (
            _fixed(12, logicalType="duration"),
            b"\x01\0\0\0\x02\0\0\0\xbc\x0b\0\0",
            "string",
            "P1M2DT3.004S",
        ),
        (_logical("long", "timestamp-fortnights"), 7, "long", 7),
        (_logical("string", "date"), "x", "string", "x"),
        (["null", "string"], "x", "string", "x"),
        (["string"], "x", "string", "x"),
        (["int", "long"], 5, "long", 5),
        (["null", "int", "double"], 5, "double", 5.0),
        (["float", "double"], 0.5, "double", 0.5),
        (["long", "double"], 5, "string", "5"),
        (["null", "long", "string"], "x", "string", "x"),
        (["int", "boolean"], True, "string", "true"),
        ([_POINT, "string"], {"X": 1}, "string", '{"X":1}'),
        ([_logical("int", "date"), "string"], datetime.date(2024, 1, 2), "string", "2024-01-02"),
        ([_E, _POINT], ("E", "NEW"), "string", "NEW"),
        ([_E, _POINT], ("Point", {"X": 2}), "string", '{"X":2}'),
        ([{"type": "map", "values": "int"}, "int"], {"k": 1}, "string", '{"k":1}'),
        (["bytes", "string"], b"\xff", "string", "ff"),
    ],
)
def test_a_type_becomes_the_one_that_iceberg_holds(
    type_: Any, written: Any, words: str, value: Any
) -> None:
    data = avro({"Value": type_}, [{"Value": written}])
    [column] = columns_of("avro", data)
    assert (column.name, format_type(column.type)) == ("value", words)
    quick = fast("avro", data, (column,))
    assert quick is not None
    assert quick.rows["value"].to_pylist() == [written if value is None else value]
    assert quick.rows.equals(carefully("avro", data).rows)


def test_a_union_of_several_types_is_read_value_by_value() -> None:
    union = ["null", "long", _E, _POINT, {"type": "array", "items": _logical("int", "date")}]
    values = [7, None, ("E", "PAID"), ("Point", {"X": 3}), [datetime.date(2024, 1, 2)]]
    data = avro({"v": union}, [{"v": value} for value in values])
    read = carefully("avro", data).rows["v"].to_pylist()
    assert read == ["7", None, "PAID", '{"X":3}', '["2024-01-02"]']


def test_a_union_of_types_that_python_has_as_one_is_read_by_their_names() -> None:
    id_, price = _fixed(16, logicalType="uuid"), _fixed(2, logicalType="decimal", precision=4)
    union = [id_ | {"name": "Id"}, price | {"name": "Price", "scale": 2}]
    data = avro({"v": union}, [{"v": ("Price", Decimal("1.25"))}, {"v": ("Id", _UUID.bytes)}])
    assert carefully("avro", data).rows["v"].to_pylist() == ["1.25", str(_UUID)]


_LINKED = {
    "type": "record",
    "name": "Linked",
    "fields": [{"name": "next", "type": ["null", "Linked"]}],
}


@pytest.mark.parametrize(
    ("type_", "says"),
    [
        (_LINKED, "'v.next'.*the record 'Linked' inside of itself"),
        ({"type": "array", "items": "null"}, "'v'.*array of values that take no bytes"),
        ({"type": "record", "name": "None_", "fields": []}, "'v'"),
        (_decimal(39, 0), "'v'.*decimal256"),
    ],
)
def test_what_no_table_can_hold_is_refused_by_name(type_: Any, says: str) -> None:
    data = avro({"v": type_, "w": "int"}, [])
    with pytest.raises(UnsupportedTypeError, match=says):
        carefully("avro", data)


def test_what_is_nested_too_deeply_is_refused_by_name() -> None:
    for depth, is_read in ((49, True), (50, False), (120, False)):
        type_: Any = "int"
        value: Any = 1
        for level in range(depth):
            fields = [{"name": "n", "type": type_}]
            type_, value = {"type": "record", "name": f"R{level}", "fields": fields}, {"n": value}
        data = avro({"v": type_}, [{"v": value}])
        says = "'v' is nested more than 50 levels deep"
        with (
            contextlib.nullcontext() if is_read else pytest.raises(UnsupportedTypeError, match=says)
        ):
            assert carefully("avro", data).rows.num_rows == 1


def test_a_file_of_values_that_are_no_records_is_refused() -> None:
    sink = io.BytesIO()
    fastavro.writer(sink, fastavro.parse_schema("string"), ["a"])
    with pytest.raises(UnsupportedTypeError, match="not a record"):
        carefully("avro", sink.getvalue())


def _raw(fields: dict[str, Any], records: list[Any]) -> bytes:
    """Values as the types say, whatever the logical types say that they should be."""
    hidden = json.loads(json.dumps(fields).replace("logicalType", "logicalTypX"))
    return avro(hidden, records).replace(b"logicalTypX", b"logicalType")


def test_moments_beyond_the_calendar_are_rescued() -> None:
    at = _logical("long", "timestamp-millis")
    either = [at, "string"]
    data = _raw({"at": at, "v": either}, [{"at": 0, "v": 0}, {"at": 2**55, "v": 2**55}])
    rows = carefully("avro", data).rows.to_pylist()
    assert [row["at"] is None for row in rows] == [False, True]
    assert rows[0]["v"] == "1970-01-01T00:00:00+00:00"
    assert rows[1]["v"] == str(2**55)
    assert "at" in json.loads(rows[1]["_rescued_data"])


def test_a_decimal_of_more_digits_than_declared_is_an_error_and_not_rounded() -> None:
    type_ = {"d": _decimal(3, 1)}
    read = carefully("avro", _raw(type_, [{"d": b"\x7b"}])).rows["d"]
    assert read.to_pylist() == [Decimal("12.3")]
    with pytest.raises(CorruptFileError, match="not as its schema says"):
        carefully("avro", _raw(type_, [{"d": b"\x7b\x7b"}]))


def test_a_logical_type_that_does_not_go_with_its_type_is_none() -> None:
    for type_ in (_decimal(2, 5), _logical("bytes", "decimal"), _logical("bytes", "uuid")):
        read = carefully("avro", _raw({"d": type_}, [{"d": b"\x01"}])).rows["d"]
        assert read.to_pylist() == [b"\x01"]


_CODECS = ["null", "deflate", "bzip2", "xz", "snappy"]
_RECORDS = [{"id": n, "s": f"value {n}"} for n in range(3000)]
_FILES = {codec: avro({"id": "long", "s": "string"}, _RECORDS, codec) for codec in _CODECS}


@pytest.mark.parametrize("codec", _CODECS)
def test_every_codec_is_unpacked_and_rows_are_numbered(codec: str) -> None:
    data = _FILES[codec]
    quick = fast("avro", data, columns_of("avro", data))
    assert quick is not None
    assert quick.rows["id"].to_pylist() == list(range(3000))
    assert quick.rows["_source_row"].to_pylist() == list(range(1, 3001))


def _container(codec: str, blocks: list[tuple[int, bytes]], schema: Any = None) -> bytes:
    schema = schema or {
        "type": "record",
        "name": "Row",
        "fields": [{"name": "id", "type": "long"}, {"name": "s", "type": "string"}],
    }
    out = io.BytesIO()
    out.write(avro_container.MAGIC)
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(out, avro_container.META, meta)
    sync = b"0123456789abcdef"
    out.write(sync)
    for count, packed in blocks:
        fastavro.schemaless_writer(out, "long", count)
        fastavro.schemaless_writer(out, "long", len(packed))
        out.write(packed + sync)
    return out.getvalue()


_ROW = b"\x02\x02a"


def test_zstandard_is_unpacked() -> None:
    packed = pa.compress(_ROW * 50, "zstd", asbytes=True)
    rows = carefully("avro", _container("zstandard", [(50, packed), (0, b"")])).rows
    assert rows["s"].to_pylist() == ["a"] * 50


def _snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data)) + zlib.crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_container("lzo", []), "codec 'lzo' is none of null, deflate"),
        (_container("null", [(2, _ROW)]), "not as its schema says"),
        (_container("null", [(1, _ROW * 2)]), "not as its schema says|records"),
        (_container("null", [(-1, _ROW)]), "-1 records"),
        (_container("null", [(10**15, _ROW)]), "more records than bytes"),
        (_container("null", [(1, b"\x02\x02\xff")]), "not as its schema says"),
        (_container("snappy", [(1, _snappy(_ROW)[:-4] + b"abcd")]), "checksum"),
        (_container("null", [], {"type": "record", "name": "Row", "fields": [{}]}), "its schema"),
        (_container("null", [], {"type": "array", "items": {"type": "arrays"}}), "its schema"),
    ],
)
def test_a_container_that_is_not_as_specified_says_where(data: bytes, says: str) -> None:
    with pytest.raises(CorruptFileError, match=says):
        carefully("avro", data, (Column("id", parse_type("long")),))


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "zstandard", "snappy"])
def test_a_block_that_unpacks_to_too_much_is_refused(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _container(codec, [(1, _PACK[codec](bytes(2_000_000)))])
    monkeypatch.setattr(avro_container, "MAX_BLOCK_BYTES", 1_000_000)
    with pytest.raises(CorruptFileError, match=r"more than 1000000 bytes|emory"):
        carefully("avro", data)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


_PACK = {
    "deflate": _deflated,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda data: pa.compress(data, "zstd", asbytes=True),
    "snappy": _snappy,
}


@pytest.mark.parametrize("codec", _CODECS)
def test_a_file_cut_short_anywhere_is_corrupt(codec: str) -> None:
    data = avro({"id": "long", "s": "string"}, _RECORDS[:40], codec, sync_interval=100)
    columns = columns_of("avro", data)
    whole = _ends(data)
    for end in range(1, len(data)):
        if end in whole:
            continue  # that is a file with fewer blocks
        with pytest.raises(FileContentError):
            fast("avro", data[:end], columns)
        with pytest.raises(FileContentError):
            carefully("avro", data[:end], columns)


def _ends(data: bytes) -> set[int]:
    """Where the header and each block end."""
    stream = io.BytesIO(data)
    header = avro_container.read_header(stream)
    return {header.end, *(stream.tell() for _ in avro_container.blocks(stream, header))}


@pytest.mark.parametrize("codec", ["deflate", "bzip2", "xz", "snappy"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_byte_is_an_error_or_one_value_never_a_crash(
    codec: str, data: st.DataObject
) -> None:
    """Without checksums a changed value is a value; the rows stay as many as the blocks say."""
    whole = _FILES[codec]
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    columns = columns_of("avro", whole)
    try:
        read = carefully("avro", damaged, columns)
    except FileContentError:
        return
    assert read.rows.num_rows == 3000
    if codec in ("bzip2", "xz", "snappy") and at > 300:
        assert read.rows.equals(carefully("avro", whole, columns).rows)


def test_no_rows_is_fine() -> None:
    columns = (Column("id", parse_type("long")), Column("s", parse_type("string")))
    for data in (b"", _container("null", []), _container("null", [(0, b"")])):
        assert carefully("avro", data, columns).rows.num_rows == 0
        quick = fast("avro", data, columns)
        assert quick is not None
        assert quick.rows.num_rows == 0


def test_other_bytes_are_another_format() -> None:
    with pytest.raises(WrongFormatError, match="is JSON"):
        carefully("avro", b'{"a": 1}')
    with pytest.raises(WrongFormatError, match="is Parquet"):
        carefully("avro", b"PAR1" + bytes(50))


_WORDS = st.text(st.characters(exclude_categories=["Cs"]))
_POINTS = st.lists(st.none() | st.fixed_dictionaries({"X": st.integers(-9, 9)}))
_VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "Id": ("long", st.integers(-(2**63), 2**63 - 1)),
    "n": (["null", "double"], st.none() | st.floats(allow_nan=False)),
    "s": (["null", "string"], st.none() | _WORDS),
    "d": (_decimal(20, 3), st.decimals(-(10**16), 10**16, places=3)),
    "l": ({"type": "array", "items": ["null", _POINT]}, _POINTS),
    "m": ({"type": "map", "values": "boolean"}, st.dictionaries(_WORDS, st.booleans())),
}
_RECORD = st.fixed_dictionaries({name: values for name, (_, values) in _VALUES.items()})


@settings(max_examples=60, deadline=None)
@given(st.lists(_RECORD, min_size=1, max_size=20), st.sampled_from(_CODECS), st.integers(1, 4000))
def test_both_paths_read_what_was_written(
    records: list[dict[str, Any]], codec: str, interval: int
) -> None:
    schema = {name: type_ for name, (type_, _) in _VALUES.items()}
    data = avro(schema, records, codec, sync_interval=interval)
    columns = columns_of("avro", data)
    quick = fast("avro", data, columns)
    assert quick is not None
    assert quick.rows.equals(carefully("avro", data).rows)
    assert [row["id"] for row in quick.rows.to_pylist()] == [r["Id"] for r in records]
    for name in ("n", "s", "d"):
        assert quick.rows[name].to_pylist() == [record[name] for record in records]
    assert [row["l"] for row in quick.rows.to_pylist()] == [
        [None if item is None else {"x": item["X"]} for item in record["l"]] for record in records
    ]
    assert [dict(row["m"]) for row in quick.rows.to_pylist()] == [r["m"] for r in records]

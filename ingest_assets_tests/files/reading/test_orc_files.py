"""ORC files: every type and codec that producers write, and damage."""

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.errors import CorruptFileError, FileContentError, WrongFormatError
from ingest_assets.files.reading.reader import reader_for
from ingest_assets.schema.column import Column
from ingest_assets.schema.types import format_type
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    content,
    fast,
    orc_file,
)
from ingest_assets_tests.files.reading.fuzz import CORPUS

_MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("array", "words", "value"),
    [
        (pa.array([True]), "boolean", True),
        (pa.array([1], pa.int8()), "int", 1),
        (pa.array([1], pa.int16()), "int", 1),
        (pa.array([1], pa.int32()), "int", 1),
        (pa.array([2**62]), "long", 2**62),
        (pa.array([1.5], pa.float32()), "float", 1.5),
        (pa.array([0.1]), "double", 0.1),
        (pa.array(["é"]), "string", "é"),
        (pa.array([b"\x00\xff"]), "binary", b"\x00\xff"),
        (pa.array([Decimal("-1.50")], pa.decimal128(38, 2)), "decimal(38,2)", Decimal("-1.50")),
        (pa.array([0], pa.date32()), "date", datetime.date(1970, 1, 1)),
        (pa.array([_MOMENT]), "timestamp", _MOMENT),
        (
            pa.array([_MOMENT], pa.timestamp("us", "UTC")),
            "timestamptz",
            _MOMENT.replace(tzinfo=datetime.UTC),
        ),
        (pa.array([{"A": 1}]), "struct<a: long>", {"a": 1}),
        (pa.array([[1, None]]), "list<long>", [1, None]),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())), "map<string, int>", [("k", 1)]),
    ],
)
def test_a_type_becomes_the_one_that_iceberg_holds(array: pa.Array, words: str, value: Any) -> None:
    data = orc_file(pa.table({"Value": array}))
    [column] = columns_of("orc", data)
    assert (column.name, format_type(column.type)) == ("value", words)
    quick = fast("orc", data, (column,))
    assert quick is not None
    assert quick.rows["value"].to_pylist() == [value]
    assert quick.rows.equals(carefully("orc", data).rows)


_TABLE = pa.table({"id": range(50_000), "s": [f"value {n * 7919}" for n in range(50_000)]})


@pytest.mark.parametrize("codec", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_every_codec_is_unpacked_and_rows_are_numbered_over_stripes(codec: str) -> None:
    data = orc_file(_TABLE, compression=codec, stripe_size=100_000, batch_size=1000)
    observed = reader_for("orc", {}).observe(content(data), None)
    assert observed.record_count == 50_000
    assert observed.detected["compression"] == codec
    assert int(observed.detected["stripes"]) > 1
    quick = fast("orc", data, columns_of("orc", data))
    assert quick is not None
    assert quick.rows["id"].to_pylist() == list(range(50_000))
    assert quick.rows["_source_row"].to_pylist() == list(range(1, 50_001))


def test_a_moment_that_no_reader_of_orc_holds_is_refused_by_name() -> None:
    """Arrow has ORC's timestamps in nanoseconds, which end with the year 2262."""
    data = orc_file(pa.table({"at": pa.array([datetime.datetime(9999, 12, 31)])}))  # noqa: DTZ001
    with pytest.raises(CorruptFileError, match=r"timestamp .* out of range for nanosecond"):
        carefully("orc", data)


def test_no_rows_is_fine() -> None:
    columns = (Column("a", pa.int64()),)
    for data in (b"", orc_file(pa.table({"a": pa.array([], pa.int64())}))):
        assert carefully("orc", data, columns).rows.num_rows == 0
        quick = fast("orc", data, columns)
        assert quick is not None
        assert quick.rows.num_rows == 0


_WHOLE = orc_file(pa.table({"a": list(range(3000)), "b": ["x" * 9] * 3000}), compression="zlib")


@pytest.mark.parametrize("end", [3, 10, len(_WHOLE) // 2, len(_WHOLE) - 20, len(_WHOLE) - 1])
def test_a_file_cut_short_is_corrupt(end: int) -> None:
    with pytest.raises(FileContentError):
        carefully("orc", _WHOLE[:end])


def test_a_file_with_fewer_rows_than_it_says_is_corrupt() -> None:
    """One byte is damaged, in the footer, where it says how many rows its stripe has."""
    damaged = (CORPUS / "orc" / "fewer-rows-than-said").read_bytes()
    columns = columns_of("orc", _WHOLE)
    with pytest.raises(CorruptFileError, match="says that it has 3000 rows, and has 2968"):
        carefully("orc", damaged, columns)
    with pytest.raises(CorruptFileError, match="says that it has 3000 rows, and has 2968"):
        fast("orc", damaged, columns)


def test_other_bytes_are_another_format() -> None:
    with pytest.raises(WrongFormatError, match="is JSON"):
        carefully("orc", b'{"a": 1}')
    with pytest.raises(WrongFormatError, match="is Avro"):
        carefully("orc", b"Obj\x01" + bytes(50))

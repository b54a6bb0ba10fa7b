"""Rows through a transform, by the reader that stands in front of a format's own."""

import decimal
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import example, given, settings

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.reading.reader import FormatType, Reader, Stumbled, reader_for
from ingest_assets.files.reading.transformed import TransformedReader
from ingest_assets.schema.column import Columns
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.types import TIMESTAMPTZ, columns_to_json
from ingest_assets.transforms import whole_file
from ingest_assets.transforms.declared_transform import transform_of
from ingest_assets.transforms.errors import TransformError
from ingest_assets_tests.files.reading.contents import content, json_lines, parquet, together
from ingest_assets_tests.files.reading.test_paths_agree import _csv_files, _json_files

_ALL = ("select * from source", "select * from source where 1 = 1", "from source")


def life(
    reader: Reader, known: KnownSource, files: Sequence[bytes], table: Columns | None = None
) -> list[Any]:
    """What becomes of files that follow each other: all that the engine asks a reader for."""
    told: list[Any] = []
    for data in files:
        file = content(data)
        try:
            if table is not None:
                told.append(_fast(reader, file, table))
            observed = reader.observe(file, table)
            decision = decide(table, observed, SchemaRules())
            told.append((decision.verdict, columns_to_json(decision.target)))
            told.append((columns_to_json(observed.columns), observed.record_count))
            told.append(observed.always_present & {c.name for c in observed.columns})
            read = together(reader.read_careful(file, decision.target), decision.target)
            told += [read.rows, read.rejected]
            if not decision.is_parked and decision.target:
                table = decision.target
                known.keep(file)
        except FileContentError as error:
            told.append(type(error))
    return told


def _fast(reader: Reader, file: Any, table: Columns) -> pa.Table | None:
    try:
        alone = together(reader.read_fast(file, table), table).rows
        both = reader.read_together([file, file], table).rows
    except Stumbled:
        return None
    assert both.num_rows == 2 * alone.num_rows
    return alone


def transformed(format_type: FormatType, sql: str, known: KnownSource) -> Reader:
    return TransformedReader(reader_for(format_type, {}), transform_of(sql), known)


def check_same(
    format_type: FormatType, files: Sequence[bytes], sql: str, table: Columns | None = None
) -> None:
    known = KnownSource()
    plain = life(reader_for(format_type, {}), KnownSource(), files, table)
    through = life(transformed(format_type, sql, known), known, files, table)
    assert len(plain) == len(through)
    for one, other in zip(plain, through, strict=True):
        if isinstance(one, pa.Table):
            assert other is not None
            assert other.schema.equals(one.schema)
            assert repr(one.to_pylist()) == repr(other.to_pylist())  # NaN is not equal to itself
        elif one is not None:  # a transform may take the careful path where none does not
            assert one == other


@settings(max_examples=80, deadline=None)
@example(([{"id": [0]}], [{"id": [0]}, {"id": [{"k": 0}, {"k": 0}]}]), _ALL[0])
@given(_json_files(), st.sampled_from(_ALL))
def test_all_columns_of_json_are_what_they_are_without_a_transform(
    files: tuple[list[dict[str, Any]], list[dict[str, Any]]], sql: str
) -> None:
    first, second = (json_lines(records) for records in files)
    check_same("json", [first, second, first], sql)


@settings(max_examples=60, deadline=None)
@given(_csv_files(), st.sampled_from(_ALL))
def test_all_columns_of_csv_are_what_they_are_without_a_transform(
    file: tuple[bytes, int], sql: str
) -> None:
    check_same("csv", [file[0], file[0]], sql)


_TYPED = pa.table(
    {
        "Id": pa.array([1, 2, None], pa.int32()),
        "when": pa.array([0, -1, 2**60], pa.timestamp("us")),
        "whenTZ": pa.array([0, None, 253402300799999999], TIMESTAMPTZ),
        "nanos": pa.array([1, 1000, None], pa.timestamp("ns")),
        "day": pa.array([-719162, 0, 2932896], pa.date32()),
        "hour": pa.array([0, 1, 86399999999], pa.time64("us")),
        "price": pa.array(
            [decimal.Decimal("-0.01"), None, decimal.Decimal(10**35)], pa.decimal128(38, 2)
        ),
        "blob": pa.array([b"\x00", b"", None], pa.binary()),
        "fixed": pa.array([b"ab", b"\x00\xff", None], pa.binary(2)),
        "float": pa.array([float("nan"), -0.0, float("inf")], pa.float32()),
        "word": pa.array(["a", "", None]).dictionary_encode(),
        "items": pa.array([[{"kA": 1}], [], None], pa.list_(pa.struct([("kA", pa.int64())]))),
        "pairs": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "big": pa.array([2**64 - 1, 0, None], pa.uint64()),
    }
)


@pytest.mark.parametrize("sql", [*_ALL, "select * from source where id is null or id < 9"])
def test_columns_of_every_type_come_out_bit_for_bit(sql: str) -> None:
    check_same("parquet", [parquet(_TYPED), parquet(_TYPED.slice(1)), parquet(_TYPED)], sql)


def test_a_type_that_iceberg_lacks_is_refused_with_the_cast_to_write() -> None:
    for expression, words in {
        "interval 1 day": "INTERVAL, which Iceberg cannot hold; write cast(… as varchar)",
        "[interval 1 day]": "INTERVAL[], which Iceberg cannot hold; write cast(… as varchar)",
        "timetz '01:00:00+01'": "TIME WITH TIME ZONE, which Iceberg cannot hold; write cast(… as t",
        "'101'::bit": "BIT, which Iceberg cannot hold; write cast(… as varchar)",
        "1::bignum": "BIGNUM, which Iceberg cannot hold",
        "union_value(a := 1)": "which Iceberg cannot hold; write cast(… as varchar)",
    }.items():
        reader = transformed("json", f"select {expression} as x from source", KnownSource())
        with pytest.raises(TransformError, match="The transform fails on") as raised:
            reader.observe(content(b'{"a": 1}\n'), None)
        assert "its column 'x' is of the type" in str(raised.value)
        assert words in str(raised.value)


def test_two_columns_of_one_name_are_refused_by_both_their_names() -> None:
    reader = transformed("json", 'select a, a + 1 as "A" from source', KnownSource())
    with pytest.raises(TransformError, match="'a' and 'A' of its result would both become"):
        reader.observe(content(b'{"a": 1}\n'), None)


def test_a_large_first_file_is_read_by_its_beginning_as_it_is_read_as_a_whole() -> None:
    rows = [{"id": n, "at": "2026-01-01T00:00:00Z", "note": "x" * 900} for n in range(12_000)]
    file = content(json_lines(rows))
    known = KnownSource()
    reader = transformed("json", "select id * 2 as twice, note from source where id > 5", known)
    beginning = reader.observe_beginning(file)
    assert beginning is not None
    columns = decide(None, beginning, SchemaRules()).target
    quick = together(reader.read_fast(file, columns, is_first=True), columns).rows
    whole = reader.observe(file, None)
    assert columns_to_json(whole.columns) == columns_to_json(beginning.columns)
    assert quick.equals(together(reader.read_careful(file, columns), columns).rows)
    assert quick.num_rows == 12_000 - 6
    assert quick["_source_row"][0].as_py() == 7


def test_what_the_whole_file_needs_is_the_same_from_memory_and_from_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [{"id": n, "who": f"c{n % 7}", "note": "x" * 2000} for n in range(9_000)]
    file = content(json_lines(rows))
    sql = "select who, count(*) as n, max(id) as last from source group by who order by who"
    found = []
    for limit in (whole_file.IN_MEMORY_BYTES, 100):
        monkeypatch.setattr(whole_file, "IN_MEMORY_BYTES", limit)
        reader = transformed("json", sql, KnownSource())
        columns = reader.observe(file, None).columns
        chunks = list(reader.read_careful(file, columns))
        assert sum(chunk.taken.records for chunk in chunks if chunk.taken) == 9_000
        found.append(together(chunks, columns).rows)
    assert found[0].equals(found[1])
    assert found[0]["n"].to_pylist() == [1286] * 5 + [1285] * 2
    assert found[0]["_source_row"].to_pylist() == list(range(1, 8))

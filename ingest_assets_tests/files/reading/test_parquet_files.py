"""Parquet files of all types that producers write."""

import datetime
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given, settings

from ingest_assets.errors import (
    ColumnNameError,
    CorruptFileError,
    EncryptedFileError,
    UnsupportedTypeError,
    WrongFormatError,
)
from ingest_assets.files.reading.reader import reader_for
from ingest_assets.files.reading.typed_columns import FileColumn, fit_each
from ingest_assets.schema.column import Column
from ingest_assets.schema.fit import says_nothing
from ingest_assets.schema.types import format_type, parse_type
from ingest_assets_tests.files.reading.contents import (
    carefully,
    columns_of,
    content,
    fast,
    parquet,
)

_UTC = datetime.UTC


@pytest.mark.parametrize(
    ("array", "words", "value"),
    [
        (pa.array([1], pa.int8()), "int", 1),
        (pa.array([1], pa.uint16()), "int", 1),
        (pa.array([2**32 - 1], pa.uint32()), "long", 2**32 - 1),
        (pa.array([2**64 - 1], pa.uint64()), "decimal(20,0)", Decimal(2**64 - 1)),
        (pa.array([1.5], pa.float32()), "float", 1.5),
        (pa.array(["a"]).dictionary_encode(), "string", "a"),
        (pa.array(["a"], pa.large_string()), "string", "a"),
        (pa.array([b"a"], pa.large_binary()), "binary", b"a"),
        (pa.array([b"ab"], pa.binary(2)), "fixed(2)", b"ab"),
        (pa.array([0], pa.date32()), "date", datetime.date(1970, 1, 1)),
        (pa.array([1000], pa.time32("ms")), "time", datetime.time(0, 0, 1)),
        (pa.array([1000], pa.time64("ns")), "time", datetime.time(0, 0, 0, 1)),
        (pa.array([1000], pa.timestamp("ms")), "timestamp", datetime.datetime(1970, 1, 1, 0, 0, 1)),  # noqa: DTZ001
        (
            pa.array([1000], pa.timestamp("ns", tz="Europe/Berlin")),
            "timestamptz",
            datetime.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=_UTC),
        ),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), "decimal(5,2)", Decimal("1.50")),
        (pa.array([[1]], pa.large_list(pa.int32())), "list<int>", [1]),
        (pa.array([{"A": 1}], pa.struct([("A", pa.int8())])), "struct<a: int>", {"a": 1}),
        (
            pa.array([[{"B": "x"}], None, []], pa.list_(pa.struct([("B", pa.large_string())]))),
            "list<struct<b: string>>",
            [{"b": "x"}],
        ),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "map<string, long>", [("k", 1)]),
    ],
)
def test_a_type_becomes_the_one_that_iceberg_holds(array: pa.Array, words: str, value: Any) -> None:
    data = parquet(pa.table({"Value": array}))
    [column] = columns_of("parquet", data)
    assert (column.name, format_type(column.type)) == ("value", words)
    read = carefully("parquet", data)
    assert read.rows.column("value")[0].as_py() == value
    assert read.rows.column("_rescued_data").null_count == len(array)
    quick = fast("parquet", data, (column,))
    assert quick is not None
    assert quick.rows.equals(read.rows)


def test_a_column_of_the_type_null_says_nothing() -> None:
    data = parquet(pa.table({"a": [1], "n": pa.nulls(1)}))
    assert [c.name for c in columns_of("parquet", data)] == ["a"]
    assert fast("parquet", data, columns_of("parquet", data)) is not None
    table = (Column("n", pa.int64()),)
    observed = reader_for("parquet", {}).observe(content(data), table)
    assert observed.columns[0] == table[0]


def test_nanoseconds_that_are_no_microseconds_are_rescued() -> None:
    data = parquet(pa.table({"At": pa.array([1000, 1001, None], pa.timestamp("ns"))}))
    columns = columns_of("parquet", data)
    assert fast("parquet", data, columns) is None
    rows = carefully("parquet", data).rows.to_pylist()
    assert [row["at"] is None for row in rows] == [False, True, True]
    assert [row["_rescued_data"] is None for row in rows] == [True, False, True]
    assert json.loads(rows[1]["_rescued_data"]) == {"At": "1970-01-01 00:00:00.000001001"}


@pytest.mark.parametrize(
    "array",
    [pa.array([1], pa.duration("s")), pa.array([{}], pa.struct([]))],
)
def test_a_type_that_iceberg_lacks_is_refused_by_name(array: pa.Array) -> None:
    table = pa.table({"Odd": array})
    try:
        data = parquet(table)
    except pa.ArrowNotImplementedError:
        pytest.skip("Parquet cannot hold it either")
    with pytest.raises(UnsupportedTypeError, match="'Odd'"):
        carefully("parquet", data)


@pytest.mark.parametrize(
    ("table", "array", "verdict_type", "values", "rescued"),
    [
        ("long", pa.array([1], pa.int32()), "long", [1], [None]),
        ("double", pa.array([1], pa.int64()), "double", [1.0], [None]),
        ("int", pa.array([1], pa.int64()), "long", [1], [None]),
        ("double", pa.array([1, 2, 2**53 + 1]), "double", [1, 2, None], [None, None, 2**53 + 1]),
        ("timestamptz", pa.array(["2024-01-01"]), "timestamptz", None, [None]),
        ("long", pa.array(["1", "x"]), "string", [None, None], ["1", "x"]),
        ("string", pa.array([1, 2]), "long", [None, None], [1, 2]),
        ("decimal(10,2)", pa.array([Decimal("1.5")]), "decimal(10,2)", [Decimal("1.5")], [None]),
    ],
)
def test_the_table_decides_the_type_where_the_values_fit(
    table: str,
    array: pa.Array,
    verdict_type: str,
    values: list[Any] | None,
    rescued: list[Any],
) -> None:
    known = (Column("v", parse_type(table)),)
    data = parquet(pa.table({"v": array}))
    reader = reader_for("parquet", {})
    [column] = reader.observe(content(data), known).columns
    assert format_type(column.type) == verdict_type
    [chunk] = reader.read_careful(content(data), known, ignored=frozenset())
    if values is not None:
        assert chunk.rows.column("v").to_pylist() == values
    found = [json.loads(r)["v"] if r else None for r in chunk.rows["_rescued_data"].to_pylist()]
    assert found == rescued
    quick = fast("parquet", data, known)
    assert (quick is None) == any(r is not None for r in rescued)
    assert quick is None or quick.rows.equals(chunk.rows)


def test_unknown_and_missing_columns_are_rescued_and_null() -> None:
    known = (Column("a", pa.int64()), Column("b", pa.string()))
    data = parquet(pa.table({"a": [1, 2], "New": [None, {"x": [1]}]}))
    assert fast("parquet", data, known) is None
    [chunk] = reader_for("parquet", {}).read_careful(content(data), known, ignored=frozenset())
    assert chunk.rows.to_pylist() == [
        {"a": 1, "b": None, "_source_row": 1, "_rescued_data": None},
        {"a": 2, "b": None, "_source_row": 2, "_rescued_data": '{"New":{"x":[1]}}'},
    ]


def test_names_that_collide_are_an_error_nested_too() -> None:
    with pytest.raises(ColumnNameError, match="'A' and 'a'"):
        carefully("parquet", parquet(pa.table({"A": [1], "a": [2]})))
    with pytest.raises(ColumnNameError, match="'X' and 'x'"):
        carefully("parquet", parquet(pa.table({"s": [{"X": 1, "x": 2}]})))


def test_rows_are_numbered_over_row_groups_and_batches() -> None:
    data = parquet(pa.table({"a": range(1000)}), row_group_size=300)
    columns = columns_of("parquet", data)
    quick = fast("parquet", data, columns)
    assert quick is not None
    assert quick.rows.column("_source_row").to_pylist() == list(range(1, 1001))


def test_no_rows_is_fine() -> None:
    table = columns_of("parquet", parquet(pa.table({"a": [1]})))
    for data in (b"", parquet(pa.table({"a": pa.array([], pa.int64())}))):
        quick = fast("parquet", data, table)
        assert quick is not None
        assert quick.rows.num_rows == 0
        assert carefully("parquet", data, table).rows.num_rows == 0


_WHOLE = parquet(pa.table({"a": list(range(5000)), "b": ["x" * 50] * 5000}))


@pytest.mark.parametrize("data", [_WHOLE[:-1], _WHOLE[: len(_WHOLE) // 2], _WHOLE[:6], b"PAR1PAR1"])
def test_a_file_cut_short_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptFileError, match="damaged"):
        carefully("parquet", data)


def test_damaged_pages_are_corrupt_on_both_paths() -> None:
    damaged = _WHOLE[:200] + bytes(2000) + _WHOLE[2200:]
    columns = columns_of("parquet", _WHOLE)
    with pytest.raises(CorruptFileError, match="damaged"):
        fast("parquet", damaged, columns)
    with pytest.raises(CorruptFileError, match="damaged"):
        carefully("parquet", damaged, columns)


def test_old_timestamps_of_spark_keep_their_day() -> None:
    days = [datetime.datetime(9999, 12, 31), datetime.datetime(1, 1, 1, 0, 0, 0, 7)]  # noqa: DTZ001
    table = pa.table({"at": pa.array(days, pa.timestamp("us"))})
    data = parquet(table, use_deprecated_int96_timestamps=True)
    assert carefully("parquet", data).rows["at"].to_pylist() == days


def test_a_page_that_is_not_what_its_checksum_says_is_corrupt() -> None:
    table = pa.table({"a": pa.array(range(5000))})
    plain = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    data = parquet(table, **plain)
    damaged = data[:9000] + bytes([data[9000] ^ 1]) + data[9001:]
    with pytest.raises(CorruptFileError, match="checksum"):
        carefully("parquet", damaged)


_IN_LITTLE_MEMORY = """
import sys
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import reader_for

def peak():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024

path, before = sys.argv[1], peak()
content = Content(path, 0, lambda: open(path, "rb"))
reader = reader_for("parquet", {})
columns = reader.observe(content, None).columns
print(sum(chunk.rows.num_rows for chunk in reader.read_fast(content, columns)))
print(peak() - before)
"""


@pytest.mark.parametrize("group_rows", [20_000, 10_000_000])
def test_a_file_is_read_in_little_memory_whatever_its_row_groups(
    tmp_path: Path, group_rows: int
) -> None:
    numbers = pa.array(range(1_000_000))
    table = pa.table({f"c{n}": numbers for n in range(12)})
    path = tmp_path / "a.parquet"
    path.write_bytes(
        parquet(table, compression="none", use_dictionary=False, row_group_size=group_rows)
    )
    command = [sys.executable, "-c", _IN_LITTLE_MEMORY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, peak_bytes = map(int, done.stdout.split())
    assert rows == 1_000_000
    assert path.stat().st_size > 90_000_000
    assert peak_bytes < 100_000_000


def test_other_bytes_are_another_format_or_encrypted() -> None:
    with pytest.raises(WrongFormatError, match="JSON"):
        carefully("parquet", b'{"a":1}\n' * 100)
    with pytest.raises(WrongFormatError, match="ORC"):
        carefully("parquet", b"ORC" + bytes(50))
    with pytest.raises(EncryptedFileError, match="encrypted Parquet"):
        carefully("parquet", b"PARE" + _WHOLE[4:-4] + b"PARE")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "Id": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
                "s": st.one_of(
                    st.none(), st.fixed_dictionaries({"A": st.booleans(), "b": st.text("é x")})
                ),
                "l": st.one_of(
                    st.none(), st.lists(st.fixed_dictionaries({"N": st.integers(0, 9)}), max_size=3)
                ),
            }
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 5),
)
def test_both_paths_read_equal_rows(records: list[dict[str, Any]], group: int) -> None:
    schema = pa.schema(
        [
            ("Id", pa.int64()),
            ("s", pa.struct([("A", pa.bool_()), ("b", pa.string())])),
            ("l", pa.list_(pa.struct([("N", pa.int8())]))),
        ]
    )
    data = parquet(pa.Table.from_pylist(records, schema=schema), row_group_size=group)
    columns = columns_of("parquet", data)
    quick = fast("parquet", data, columns)
    assert quick is not None
    assert quick.rows.equals(carefully("parquet", data).rows)
    assert quick.rows.column("id").to_pylist() == [r["Id"] for r in records]
    assert [row["s"] and row["s"]["a"] for row in quick.rows.to_pylist()] == [
        r["s"] and r["s"]["A"] for r in records
    ]
    assert [row["l"] and [e["n"] for e in row["l"]] for row in quick.rows.to_pylist()] == [
        r["l"] and [e["N"] for e in r["l"]] for r in records
    ]


def test_times_that_python_cannot_hold_are_rescued() -> None:
    far = pa.array([0, 2**62], pa.timestamp("ms"))
    rows = carefully("parquet", parquet(pa.table({"at": far}))).rows.to_pylist()
    assert rows[0]["_rescued_data"] is None
    assert rows[1]["at"] is None
    assert rows[1]["_rescued_data"] is not None


_NO_UTF8 = b"Caf\xe9"
_FAR_DAY, _FAR_MICROS = 3_663_382, 316_516_204_800_000_000
_FAR = "12000-01-01"
_YEAR_0_MICROS = -62_167_219_200_000_000


def _texts(*values: bytes | None) -> pa.Array:
    """Strings of these bytes, as a careless writer makes them."""
    array = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(array), array.buffers())


def _moments(type_: pa.DataType, *numbers: int | None) -> pa.Array:
    return pa.array(numbers, pa.int32() if type_ == pa.date32() else pa.int64()).view(type_)


@pytest.mark.parametrize(
    ("array", "rest"),
    [
        (_texts(b"ok", _NO_UTF8, None), _NO_UTF8.hex()),
        (_texts(b"ok", _NO_UTF8, None).dictionary_encode(), _NO_UTF8.hex()),
        (_texts(b"ok", _NO_UTF8, None).cast(pa.large_string(), safe=False), _NO_UTF8.hex()),
        (
            pa.array([b"ok", _NO_UTF8, None], pa.binary_view()).view(pa.string_view()),
            _NO_UTF8.hex(),
        ),
        (_moments(pa.timestamp("us"), 0, _FAR_MICROS, None), f"{_FAR} 00:00:00.000000"),
        (_moments(pa.timestamp("us", "UTC"), 0, _FAR_MICROS, None), f"{_FAR} 00:00:00.000000Z"),
        (
            _moments(pa.timestamp("ms", "Europe/Berlin"), 0, _FAR_MICROS // 1000, None),
            f"{_FAR} 00:00:00.000Z",
        ),
        (
            _moments(pa.timestamp("us", "UTC"), 0, 2**62, None),
            "<value out of range: 4611686018427387904>Z",
        ),
        (_moments(pa.timestamp("us"), 0, _YEAR_0_MICROS, None), "0000-01-01 00:00:00.000000"),
        (_moments(pa.date32(), 0, _FAR_DAY, None), _FAR),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_value_that_no_reader_of_the_table_can_tell_is_rescued_and_its_row_kept(
    array: pa.Array, rest: str, is_known: bool
) -> None:
    shape = pa.table({"V": array[:1]})
    data = parquet(pa.table({"id": [1, 2, 3], "V": array, "l": [[x] for x in (4, 5, 6)]}))
    known = columns_of("parquet", parquet(shape)) if is_known else None
    columns = columns_of("parquet", data, known)
    assert fast("parquet", data, columns) is None
    rows = carefully("parquet", data, known).rows.to_pylist()
    assert [(row["id"], row["l"]) for row in rows] == [(1, [4]), (2, [5]), (3, [6])]
    assert [row["v"] is None for row in rows] == [False, True, True]
    assert [row["_rescued_data"] is None for row in rows] == [True, False, True]
    assert json.loads(rows[1]["_rescued_data"]) == {"V": rest}


def test_what_is_nested_is_rescued_at_its_place() -> None:
    times = _moments(pa.timestamp("us"), 0, _FAR_MICROS, 0, _FAR_MICROS, None, 0)
    words = _texts(b"a", b"b", _NO_UTF8, b"c", b"d", None)
    numbers = pa.array([1, 2, 3, 4, 5, 6])
    parts = pa.StructArray.from_arrays([times, words, numbers], ["At", "Word", "n"])
    table = pa.table(
        {
            "s": parts.take([0, 1, 2]),
            "l": pa.ListArray.from_arrays([0, 2, 2, 6], parts),
            "f": pa.FixedSizeListArray.from_arrays(times, 2),
            "m": pa.MapArray.from_arrays([0, 1, 3, 3], ["x", "y", "z"], times.take([0, 0, 1])),
        }
    )
    data = parquet(table)
    assert fast("parquet", data, columns_of("parquet", data)) is None
    rows = carefully("parquet", data).rows.to_pylist()
    far = f"{_FAR} 00:00:00.000000"
    rescued = [json.loads(row["_rescued_data"]) for row in rows]
    assert rescued == [
        {"l": [None, {"At": far}], "f": [None, far]},
        {"s": {"At": far}, "f": [None, far], "m": {"z": far}},
        {"s": {"Word": _NO_UTF8.hex()}, "l": [{"Word": _NO_UTF8.hex()}, {"At": far}, None, None]},
    ]
    epoch = datetime.datetime.fromtimestamp(0, _UTC).replace(tzinfo=None)
    assert rows[1]["s"] == {"at": None, "word": "b", "n": 2}
    assert rows[1]["l"] == []
    assert rows[2]["l"][1] == {"at": None, "word": "c", "n": 4}
    assert rows[2]["l"][3] == {"at": epoch, "word": None, "n": 6}
    assert rows[1]["m"] == [("y", epoch), ("z", None)]
    assert [row["f"][0] for row in rows] == [epoch, epoch, None]


def test_a_slice_of_nested_values_is_told_right() -> None:
    words = _texts(b"a", b"b", _NO_UTF8, b"c", b"d", None)
    lists = pa.ListArray.from_arrays([0, 1, 3, 3, 6], words)
    keys = pa.array(["u", "v", "w", "x", "y", "z"])
    maps = pa.MapArray.from_arrays([0, 1, 3, 3, 6], keys, words)
    whole = pa.StructArray.from_arrays([lists, maps], ["l", "m"], mask=pa.array([False] * 4))
    column = FileColumn("s", "s", None, None)
    rows = [
        {"l": ["a"], "m": [("u", "a")]},
        {"l": ["b", _NO_UTF8], "m": [("v", "b"), ("w", _NO_UTF8)]},
        {"l": [], "m": []},
        {"l": ["c", "d", None], "m": [("x", "c"), ("y", "d"), ("z", None)]},
    ]
    for begin in range(4):
        for array, name in ((whole, None), (lists, "l"), (maps, "m")):
            expected = [row if name is None else row[name] for row in rows[begin:]]
            _, left = fit_each(column, array[begin:])
            assert left == {n: v for n, v in enumerate(expected) if not says_nothing(v)}

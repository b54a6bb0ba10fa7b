"""Keys of a table: each data file is read once, and only where it may have one of the keys."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.engine.table_keys import OwnKeys, OwnLookup
from ingest_assets.quality.rule_set import RuleSet
from ingest_assets.tables.key_rows import KeyRows, key_rows
from ingest_assets_tests.tables.lake import Lake

TIMESTAMPTZ = pa.timestamp("us", tz="UTC")
KEYS: list[tuple[pa.DataType, list[Any], list[Any]]] = [
    (pa.int32(), [-5, 1, 2], [10, 30]),
    (pa.int64(), [-5, 1, None], [10, 2**62]),
    (pa.string(), ["a", "b"], ["m", "z" * 40, "é"]),
    (pa.date32(), [date(1969, 1, 1), date(1970, 1, 2)], [date(2026, 1, 1)]),
    (TIMESTAMPTZ, [datetime(1969, 1, 1, tzinfo=UTC)], [datetime(2026, 1, 1, 1, tzinfo=UTC)]),
    (pa.float64(), [0.5, -1.0], [100.5]),  # of which no bounds are used: all files are read
]


def _read(rows: KeyRows, *keys: Any, type_: pa.DataType) -> list[Any]:
    found = list(rows.near(pa.chunked_array([pa.array(keys, type_)])))
    return sorted(
        (value for part in found for value in part["id"].to_pylist()),
        key=lambda value: (value is not None, value or 0),
    )


@pytest.mark.parametrize(("type_", "low", "high"), KEYS, ids=lambda part: str(part)[:20])
def test_only_data_files_that_may_have_a_key_are_read_and_each_once(
    lake: Lake, type_: pa.DataType, low: list[Any], high: list[Any]
) -> None:
    for number, values in enumerate((low, high), 1):
        rows = pa.table({"id": pa.array(values, type_), "other": ["x"] * len(values)})
        lake.write({number: rows})
    rows = key_rows(lake.catalog, lake.identifier, ["id"])
    assert rows is not None
    first = _read(rows, high[0], type_=type_)
    if type_ != pa.float64():
        assert first == sorted(high)
        assert _read(rows, high[0], type_=type_) == []
        first += _read(rows, low[0], high[0], type_=type_)
    assert sorted(map(str, first)) == sorted(map(str, [*low, *high]))
    assert _read(rows, *low, *high, type_=type_) == []


def test_rows_that_a_file_replaces_are_no_doubles_and_those_of_others_are(lake: Lake) -> None:
    lake.write({1: pa.table({"id": [1, 2]})})
    lake.write({2: pa.table({"id": [3, None]}), 3: pa.table({"id": [2, 4]})})
    rules = RuleSet([])
    rows = key_rows(lake.catalog, lake.identifier, ["id", "_file_id"])
    keys = OwnKeys(rows, ["id"], rules.keys, "_file_id", [1, 2])

    def failing(file_id: int, *ids: int | None) -> tuple[OwnLookup, list[bool]]:
        lookup, arrived = (
            OwnLookup(keys, [file_id], "id"),
            pa.table({"id": pa.array(ids, pa.int64())}),
        )
        hashes, whole = rules.keys(arrived, ["id"])
        lookup.keep(hashes[whole])
        return lookup, lookup.failing(arrived, hashes, whole).tolist()

    first, found = failing(1, 1, 2, 3, 4, 5, None)
    assert found == [False, True, True, True, False, False]
    assert failing(9, 1, 2, 5, None)[1] == [True, True, False, False]
    first.accept()
    assert failing(2, 1, 3, 5, 6)[1] == [True, True, True, False]

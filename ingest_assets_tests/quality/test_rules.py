"""Each rule against its definition in plain Python; chunks and groups say what whole files say."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.expressions import Expressions
from ingest_assets.quality.file_checks import FileChecks
from ingest_assets.quality.group_checks import ApartError, judge_together
from ingest_assets.quality.key_set import KeySet
from ingest_assets.quality.result import FileQuality
from ingest_assets.quality.rule_set import RuleSet

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("status", pa.string()),
        ("amount", pa.float64()),
        ("price", pa.decimal128(10, 2)),
        ("_source_row", pa.int64()),
        ("_rescued_data", pa.string()),
    ]
)
Row = dict[str, Any]

RULES: list[tuple[dict[str, Any], Callable[[Row], bool]]] = [
    ({"not_null": ["id", "status"]}, lambda r: r["id"] is not None and r["status"] is not None),
    (
        {"accepted": {"column": "status", "values": ["new", "paid"]}},
        lambda r: r["status"] in (None, "new", "paid"),
    ),
    (
        {"range": {"column": "id", "min": 0.5, "max": 3}},
        lambda r: r["id"] is None or 0.5 <= r["id"] <= 3,
    ),
    (
        {"range": {"column": "amount", "min": 0}, "name": "amount_above"},
        lambda r: r["amount"] is None or r["amount"] >= 0,
    ),
    (
        {"range": {"column": "price", "max": 0.005}},
        lambda r: r["price"] is None or float(r["price"]) <= 0.005,
    ),
    (
        {"pattern": {"column": "status", "regex": "n.w|paid"}},
        lambda r: r["status"] is None or re.fullmatch("n.w|paid", r["status"]) is not None,
    ),
    (
        {"sql": "id > 1 OR status = 'new'"},
        # As in SQL: unknown unless one side is true, or both are false.
        lambda r: (r["id"] is None or r["id"] > 1) or r["status"] in (None, "new"),
    ),
]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from([None, -1, 0, 1, 2, 3, 4]),
            "status": st.sampled_from([None, "", "new", "paid", "newer", "n\nw", "lost"]),
            "amount": st.sampled_from([None, -0.1, 0.0, 1.5, float("nan"), float("inf")]),
            "price": st.sampled_from([None, "-0.01", "0.00", "0.01"]),
        }
    ),
    max_size=12,
)


def _table(rows: list[Row], first: int = 1) -> pa.Table:
    from decimal import Decimal

    written = [
        {
            **row,
            "price": None if row["price"] is None else Decimal(row["price"]),
            "_source_row": number,
            "_rescued_data": None,
        }
        for number, row in enumerate(rows, first)
    ]
    return pa.Table.from_pylist(written, SCHEMA)


def _rules(*declared: dict[str, Any], **more: Any) -> RuleSet:
    return RuleSet([QualityRule.model_validate(rule) for rule in declared], **more)


def _judged(rules: RuleSet, *tables: pa.Table) -> tuple[list[int], list[tuple[int, str]], Any]:
    """The numbers of the rows that go in, those that do not with the reason, and the results."""
    checks = FileChecks(rules, 1)
    kept, rejected = [], []
    for table in tables:
        rows, out = checks.take(table)
        kept += rows["_source_row"].to_pylist()
        if out is not None:
            numbers, reasons = out["source_row"].to_pylist(), out["reason"].to_pylist()
            rejected += list(zip(numbers, reasons, strict=True))
    return kept, rejected, checks.finish()


@given(ROWS, st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_rules_about_rows_are_what_plain_python_says(rows: list[Row], cut: int) -> None:
    table = _table(rows)
    declared = [rule for rule, _ in RULES]
    kept, rejected, quality = _judged(_rules(*declared), table.slice(0, cut), table.slice(cut))
    assert (kept, rejected) == (table["_source_row"].to_pylist(), [])
    for (_, holds), result in zip(RULES, quality.results, strict=True):
        broken = [number for number, row in enumerate(rows, 1) if not holds(row)]
        assert (result.name, result.failed_rows) == (result.name, len(broken))
        assert list(result.row_numbers) == broken[:10]
        assert result.outcome == ("failed" if broken else "passed"), result
        assert result.rows == len(rows)
        assert len(result.samples) <= 5


@given(ROWS, st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_a_row_is_rejected_for_every_rule_it_breaks_and_doubles_are_of_what_goes_in(
    rows: list[Row], cut: int
) -> None:
    table = _table(rows)
    rules = _rules(
        {"accepted": {"column": "status", "values": ["new", "paid"]}, "on_fail": "reject_rows"},
        {"not_null": ["amount"], "on_fail": "reject_rows"},
        {"unique": ["id"], "on_fail": "reject_rows"},
        {"unique": ["id", "status"]},
        {"row_count": {"min": 2}},
        {"null_ratio": {"column": "price", "max": 0.5}},
    )
    kept, rejected, quality = _judged(rules, table.slice(0, cut), table.slice(cut))
    good, seen, pairs, doubles, reasons = [], set(), set(), 0, {}
    for number, row in enumerate(rows, 1):
        broken = []
        if row["status"] not in (None, "new", "paid"):
            broken.append("accepted_status: status is new or paid")
        if row["amount"] is None:
            broken.append("not_null_amount: amount is not null")
        if not broken and row["id"] in seen:
            broken.append("unique_id: no earlier row of the file has the same id")
        if broken:
            reasons[number] = "breaks " + "; ".join(broken)
            continue
        good.append(number)
        if row["id"] is not None:
            seen.add(row["id"])
            if row["status"] is not None:
                doubles += (row["id"], row["status"]) in pairs
                pairs.add((row["id"], row["status"]))
    assert kept == good
    assert dict(rejected) == reasons
    assert quality.rejected_rows == len(reasons)
    by_name = {result.name: result for result in quality.results}
    assert by_name["unique_id_status"].failed_rows == doubles
    assert by_name["row_count"].has_passed == (len(good) >= 2)
    nulls = sum(rows[number - 1]["price"] is None for number in good)
    assert by_name["null_ratio_price"].has_passed == (not good or nulls / len(good) <= 0.5)


@given(st.lists(ROWS, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_files_that_are_judged_together_have_the_results_of_each_alone(
    files: list[list[Row]],
) -> None:
    declared = [rule for rule, _ in RULES]
    history = [(1, 3), (7, 4), (8, 5)]
    rules = _rules(
        *declared,
        {"unique": ["id", "status"]},
        {"row_count": {"min": 1, "max": 9}},
        {"row_count_change": {"max_ratio": 0.3, "last": 2}},
        {"null_ratio": {"column": "status", "max": 0.4}},
        {"not_null": ["nowhere"], "severity": "error"},
        history=history,
    )
    tables = [_table(rows) for rows in files]
    together = judge_together(
        rules, pa.concat_tables(tables), [t.num_rows for t in tables], range(1, len(tables) + 1)
    )
    for number, (table, found) in enumerate(zip(tables, together, strict=True), 1):
        alone = FileChecks(rules, number)
        alone.take(table)
        assert found == alone.finish()
        assert FileQuality.from_json(found.to_json()) == found


@pytest.mark.parametrize("on_fail", ["fail_file", "reject_rows"])
def test_files_are_judged_one_by_one_where_a_row_or_a_file_is_kept_out(on_fail: str) -> None:
    good = {"id": 1, "status": "new", "amount": 1.0, "price": None}
    rules = _rules({"not_null": ["id"], "on_fail": on_fail})
    both = pa.concat_tables([_table([good]), _table([{**good, "id": None}])])
    assert all(q.is_all_well for q in judge_together(rules, both.slice(0, 1), [1, 0], [1, 2]))
    with pytest.raises(ApartError):
        judge_together(rules, both, [1, 1], [1, 2])


ONE = {"id": 1, "status": "new", "amount": 1.0, "price": "1.00"}
UNFIT = [
    ({"not_null": ["order_id"]}, "there is no column order_id; the columns are id, status, amount"),
    ({"unique": ["id", "nope"]}, "there is no column nope; the columns are id"),
    ({"null_ratio": {"column": "nope", "max": 1}}, "there is no column nope"),
    ({"sql": "nope > 1"}, 'does not contain column "nope"'),
    ({"sql": "id + 1"}, "it is a BIGINT, and neither true nor false"),
    ({"sql": "sum(id) > 1"}, "aggregate functions are not allowed"),
    ({"sql": "id IN (SELECT 1)"}, "subqueries prohibited"),
    ({"sql": "id > 0), CHECK (id > 1"}, "syntax error"),
    ({"sql": "id > 0; DROP TABLE probe"}, "syntax error"),
    ({"sql": "CAST(status AS INT) > 0"}, "Could not convert string 'new'"),
    ({"pattern": {"column": "id", "regex": "1"}}, "id is long, and a pattern is for text"),
    ({"accepted": {"column": "status", "values": [1]}}, "1 is no value of it; write it in quotes"),
    ({"accepted": {"column": "id", "values": [1.5]}}, "id is long, and 1.5 is no value of it"),
    ({"accepted": {"column": "price", "values": [0.005]}}, "0.005 is no value of it"),
    ({"range": {"column": "amount", "min": "much"}}, "amount is double, and 'much' is no value"),
]


@pytest.mark.parametrize(("declared", "why"), UNFIT)
@pytest.mark.parametrize("on_fail", ["warn", "fail_file"])
def test_a_rule_that_cannot_be_evaluated_never_holds(
    declared: dict[str, Any], why: str, on_fail: str
) -> None:
    _, _, quality = _judged(_rules({**declared, "on_fail": on_fail}), _table([ONE]))
    (result,) = quality.results
    assert result.outcome == "unknown"
    assert why in result.said
    assert not result.has_passed
    assert bool(quality.refusals) == (on_fail == "fail_file")


def test_where_rows_cannot_be_told_apart_the_file_is_refused() -> None:
    rules = _rules({"not_null": ["nope"], "on_fail": "reject_rows"})
    _, rejected, quality = _judged(rules, _table([ONE]))
    assert rejected == []
    assert [result.name for result in quality.refusals] == ["not_null_nope"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/written.csv'",
        "INSTALL httpfs",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "SELECT * FROM rows_of_python",
    ],
)
def test_an_expression_reaches_neither_files_nor_python(statement: str) -> None:
    rows_of_python = pa.table({"a": [1]})
    expressions = Expressions()
    with expressions._over(rows_of_python) as database, pytest.raises(duckdb.Error):
        database.execute(statement)


@given(st.lists(st.lists(st.integers(0, 60), max_size=6), max_size=40))
@settings(max_examples=30, deadline=None)
def test_a_set_of_keys_that_goes_to_disk_is_a_set(parts: list[list[int]]) -> None:
    import numpy as np

    keys, seen = KeySet(run_keys=8), set[int]()
    for part in parts:
        hashes = np.array(part, np.uint64)
        assert keys.contains(hashes).tolist() == [key in seen for key in part]
        keys.add(hashes)
        seen.update(part)


@pytest.mark.parametrize(
    ("values", "narrow", "wide"),
    [
        ([-1, 7], pa.int32(), pa.int64()),
        ([-1.5, 0.25], pa.float32(), pa.float64()),
        ([Decimal("-1.50"), Decimal("7.25")], pa.decimal128(9, 2), pa.decimal128(30, 2)),
    ],
)
def test_a_key_is_the_same_after_its_column_was_promoted(
    values: list[Any], narrow: pa.DataType, wide: pa.DataType
) -> None:
    found = [
        Expressions().hashes(pa.table({"id": pa.array(values, type_)}), ["id"]).tolist()
        for type_ in (narrow, wide)
    ]
    assert found[0] == found[1]

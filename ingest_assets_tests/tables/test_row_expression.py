"""An expression is one value of one row, or it is refused before anything is read."""

from contextlib import closing

import pyarrow as pa
import pytest

from ingest_assets.decision_errors import ReshapeRefusedError
from ingest_assets.tables.row_expression import RowExpression

ROWS = pa.table({"a": [1, None], "b": ["x", "7"], "s": pa.array([{"x": 1}, None])}).to_batches()[0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("coalesce(a, 0)", [1, 0]),
        ("s.x", [1, None]),
        ("case when a > 0 then 'pos' end -- why", ["pos", None]),
        ("try_cast(b as bigint)", [None, 7]),
        ("a in (1, 2)", [True, None]),
        ("source.b || '!'", ["x!", "7!"]),
        ("NULL", [None, None]),
        ("list_sum([a, 1])::int", [2, 1]),
        ("timestamptz '2024-05-01 00:00:00'::varchar", ["2024-05-01 00:00:00+00"] * 2),
    ],
)
def test_an_expression_over_a_row_has_a_value_for_each(sql: str, expected: list[object]) -> None:
    with closing(RowExpression(sql, ROWS.schema, "c")) as expression:
        assert expression.evaluate(ROWS).to_pylist() == expected
        assert len(expression.evaluate(ROWS.slice(0, 0))) == 0
        many = pa.Table.from_batches([ROWS] * 50_000).combine_chunks().to_batches()[0]
        assert expression.evaluate(many).to_pylist() == expected * 50_000


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("sum(a)", "UNGROUPED_AGGREGATE"),
        ("geomean(a)", "UNGROUPED_AGGREGATE"),  # a macro
        ("first(b) filter (where a > 0)", "UNGROUPED_AGGREGATE"),
        ("row_number() over ()", "window"),
        ("(select 1)", "subquery"),
        ("exists (select 1)", "subquery"),
        ("a in (select a from source)", "subquery"),
        ("unnest([1, 2])", "UNNEST"),
        ("*", "more than one value"),
        ("columns('a|b')", "more than one value"),
        ("1; drop table source", "syntax error"),
        ("1) AS value FROM source; select (2", "more than one expression|syntax error"),
        ("1), (2", "more than one expression|syntax error"),
        ("1) AS value FROM source WHERE (a = 1", "syntax error"),
        ("a from read_text('/etc/passwd')", "syntax error"),
        ("read_text('/etc/passwd')", "table function"),
        ("(from read_text('/etc/passwd'))", "subquery"),
        ("nothing", "nothing"),
        ("cast(b as bigint) + ", "syntax error"),
    ],
)
def test_whatever_is_not_one_value_of_one_row_is_refused(sql: str, why: str) -> None:
    with pytest.raises(ReshapeRefusedError, match=why) as caught:
        RowExpression(sql, ROWS.schema, "c")
    assert caught.value.column == "c"


def test_a_row_for_which_it_fails_is_a_refusal() -> None:
    with (
        closing(RowExpression("cast(b as bigint)", ROWS.schema, "c")) as expression,
        pytest.raises(ReshapeRefusedError, match="Could not convert string 'x'"),
    ):
        expression.evaluate(ROWS)


def test_an_expression_reaches_no_file_and_no_setting() -> None:
    with closing(RowExpression("a", ROWS.schema, "c")) as expression:
        connection = expression._connection
        for query in ("SELECT * FROM read_text('/etc/passwd')", "SET threads = 4", "LOAD httpfs"):
            with pytest.raises(Exception, match=r"disabled|[Cc]onfiguration"):
                connection.execute(query)

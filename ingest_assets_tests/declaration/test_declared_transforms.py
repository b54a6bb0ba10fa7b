"""What `check` says of a transform, from its text alone."""

from pathlib import Path
from typing import Any

import pytest

from ingest_assets.declaration.declarations import read_declarations
from ingest_assets_tests.end_to_end.workshop import attributes, declare

FUNCTIONS = "ingest_assets_tests.end_to_end.transform_functions"
_NO_SOURCE = "is not the table source, and nothing else is there"
_AGAIN = "may say something else whenever the file is read again"


def problem(folder: Path, **changes: Any) -> str:
    declare(folder, attributes("landing", **changes))
    _, problems = read_declarations(folder)
    assert len(problems) <= 1
    return problems[0] if problems else ""


@pytest.mark.parametrize(
    ("transform", "why"),
    [
        ("selec * from source", 'line 1, column 1: syntax error at or near "selec"'),
        ("select a,\n  b fro source\n", 'line 2, column 9: syntax error at or near "source"'),
        ("", "it has 0 statements"),
        ("select 1", "it does not read source"),
        ("select * from source; select * from source", "it has 2 statements"),
        ("insert into source values (1)", "it is another statement than SELECT"),
        ("copy source to '/tmp/x'", "it is another statement than SELECT"),
        ("attach '/tmp/x.db'", "it is another statement than SELECT"),
        ("set memory_limit = '1TB'", "it is another statement than SELECT"),
        ("pragma version", "it is another statement than SELECT"),
        ("describe source", "show_ref is no SELECT over source"),
        ("select * from source, '/etc/passwd'", f"line 1, column 23: /etc/passwd {_NO_SOURCE}"),
        ("select * from source, other", f"other {_NO_SOURCE}"),
        ("select * from source, main.other", f"main.other {_NO_SOURCE}"),
        ("select * from source, information_schema.tables", _NO_SOURCE),
        ("select *, (select content from read_text('/etc/passwd')) from source", "read_text reads"),
        ("select * from source, read_csv('s3://x/y.csv')", "the function read_csv reads something"),
        ("select * from source, duckdb_settings()", "the function duckdb_settings reads"),
        ("select * from source, query('select 1')", "the function query reads something else"),
        ("select nope(a) from source", "line 1, column 8: duckdb has no function nope"),
        ("select random() as r from source", f"random {_AGAIN}"),
        ("select a, now() from source", f"column 11: now {_AGAIN}"),
        ("select current_date from source", "current_date (if it is a column, write source."),
        ("select * from source tablesample 10%", "a sample is another one"),
        ("select $1 from source", "it has a parameter"),
        ("nowhere.at_all:f", "nowhere.at_all cannot be imported: ModuleNotFoundError"),
        (f"{FUNCTIONS}:nothing", f"nothing is not there in {FUNCTIONS}"),
        (f"{FUNCTIONS}:not_callable", f"not_callable is no function in {FUNCTIONS}"),
    ],
)
def test_what_is_no_transform_is_refused_with_its_place(
    tmp_path: Path, transform: str, why: str
) -> None:
    found = problem(tmp_path, transform=transform)
    assert found.startswith("orders/defs.yaml: attributes.transform: ")
    assert why in found


@pytest.mark.parametrize(
    "transform",
    [
        "select * from source",
        "FROM source",
        "select a, b as c from source s where s.a > 1 -- a comment",
        "with x as (select * from source) select * from x",
        "select customer, sum(amount) as amount from source group by all",
        'select "at", source.current_date from source',
        "select a, unnest(items) as item from source",
        "select *, [x + 1 for x in numbers] as more, error('bad') as e from source",
        f"{FUNCTIONS}:without_small",
    ],
)
def test_one_select_over_source_or_a_function_is_taken(tmp_path: Path, transform: str) -> None:
    assert problem(tmp_path, transform=transform) == ""


def test_a_result_without_a_column_that_the_table_needs_is_refused(tmp_path: Path) -> None:
    sql = "select order_id, region as place from source"
    for changes, field in (
        ({"table": {"partition_by": ["region"]}}, "table.partition_by"),
        ({"table": {"sort_by": ["order_id", "region desc"]}}, "table.sort_by"),
        (
            {"schema": {"columns": [{"name": "region", "type": "string", "required": True}]}},
            "schema.columns",
        ),
    ):
        found = problem(tmp_path, transform=sql, **changes)
        assert f"its result has no column region, which {field} names" in found
    assert problem(tmp_path, transform=sql, table={"partition_by": ["place"]}) == ""
    every = "select * from source"
    assert problem(tmp_path, transform=every, table={"partition_by": ["region"]}) == ""

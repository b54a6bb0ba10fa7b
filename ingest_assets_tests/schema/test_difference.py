"""The differences of two schemas, and what they amount to."""

import json

import pytest

from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.difference import Change, Difference, difference
from ingest_assets.schema.types import parse_type


def _columns(text: str) -> Columns:
    """`a: long, b!: string`: `!` marks a required column."""
    type_ = parse_type(f"struct<{text.replace('!', '_required')}>") if text else ()
    return tuple(
        Column(f.name.removesuffix("_required"), f.type, f.name.endswith("_required"))
        for f in type_
    )


def _found(before: str, after: str) -> list[tuple[str, str, str | None, str | None]]:
    changes = difference(_columns(before), _columns(after)).changes
    return [(c.kind.value, c.path, c.before, c.after) for c in changes]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "compatibility"),
    [
        ("a!: long, b: string", "a!: long, b: string", "IDENTICAL", "FULL"),
        ("a!: long, b: string", "a!: long", "IDENTICAL", "FULL"),
        ("a: struct<x: long, y: long>", "a: struct<x: long>", "IDENTICAL", "FULL"),
        ("a: long", "a: long, b: string", "NON_BREAKING", "FULL"),
        ("a: struct<x: long>", "a: struct<x: long, y: long>", "NON_BREAKING", "FULL"),
        ("a: int", "a: long", "NON_BREAKING", "BACKWARD"),
        ("a: float", "a: double", "NON_BREAKING", "BACKWARD"),
        ("a: decimal(8,2)", "a: decimal(10,2)", "NON_BREAKING", "BACKWARD"),
        ("a!: long", "a: long", "NON_BREAKING", "BACKWARD"),
        ("a: long", "a!: long", "BREAKING", "FORWARD"),
        ("a: long", "a: int", "BREAKING", "FORWARD"),
        ("a!: long, b: long", "b: long", "BREAKING", "BACKWARD"),
        ("a: long", "a: string", "BREAKING", "NONE"),
        ("a: decimal(8,2)", "a: decimal(10,3)", "BREAKING", "NONE"),
        ("a: list<struct<x: long>>", "a: list<struct<x: date>>", "BREAKING", "NONE"),
    ],
)
def test_the_verdict_and_the_compatibility_follow_from_the_changes(
    before: str, after: str, verdict: str, compatibility: str
) -> None:
    found = difference(_columns(before), _columns(after))
    assert (found.verdict, found.compatibility) == (verdict, compatibility)


def test_changes_are_named_by_path_inside_structs_lists_and_maps() -> None:
    before = "a: struct<x: long, y: int>, l: list<struct<z: float>>, m: map<string, long>, k!: date"
    after = "a: struct<x: date, n: long, y: long>, l: list<struct<z: double>>, m: map<string, date>"
    assert _found(before, after) == [
        ("type_changed", "a.x", "long", "date"),
        ("widened", "a.y", "int", "long"),
        ("added", "a.n", None, "long"),
        ("widened", "l[].z", "float", "double"),
        ("type_changed", "m{}", "long", "date"),
        ("missing", "k", "date", None),
    ]


def test_the_first_schema_is_initial() -> None:
    found = difference(None, _columns("a: long"))
    assert found.verdict == "INITIAL"
    assert [change.explanation() for change in found.changes] == ["column `a`: new, long"]


def test_a_rename_is_guessed_from_name_and_type_and_changes_no_verdict() -> None:
    found = difference(_columns("customer_id!: long, x: long"), _columns("customerid: long"))
    [renamed] = [change for change in found.changes if change.kind == "renamed"]
    assert (renamed.path, renamed.renamed_to) == ("customer_id", "customerid")
    assert renamed.score is not None
    assert renamed.score > 0.9
    assert found.verdict == "BREAKING"
    assert not [c for c in _found("customer_id: long", "customerid: date") if c[0] == "renamed"]


def test_each_change_is_explained_in_one_line() -> None:
    found = difference(
        _columns("amount: double, id!: long, n: long, size: long"),
        _columns("amount: string, n!: long, new: date, size: int"),
    )
    assert [change.explanation() for change in found.changes] == [
        "column `amount`: was double, the file has string",
        "column `id`: required, long, the file does not have it",
        "column `n`: was optional, is required",
        "column `size`: was long, the file has int (narrower)",
        "column `new`: new, date",
    ]


def test_a_difference_comes_back_from_json() -> None:
    found = difference(
        _columns("customer_id!: long, b: int"), _columns("customerid: long, b: long")
    )
    back = Difference.from_json(json.loads(json.dumps(found.to_json())))
    assert back == found
    assert all(isinstance(change, Change) for change in back.changes)

"""What is decided about a file, by the rules of its declaration."""

from dataclasses import replace
from typing import Any

import pytest

from ingest_assets.schema.column import Column, Columns
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.types import format_type, parse_type

_ID = Column("id", parse_type("long"), is_required=True)
_NOTE = Column("note", parse_type("string"))
_NEW = Column("new", parse_type("date"))


def _observed(*columns: Column, records: int = 10) -> Observed:
    return Observed(columns, records, {}, frozenset(c.name for c in columns))


def _words(columns: Columns) -> dict[str, str]:
    return {c.name: format_type(c.type) + ("!" if c.is_required else "") for c in columns}


def test_the_first_file_makes_columns_required_that_every_record_had() -> None:
    observed = Observed(
        (replace(_ID, is_required=False), _NOTE, _NEW), 3, {}, frozenset({"id", "note"})
    )
    decision = decide(None, observed, SchemaRules(optional_columns=frozenset({"note"})))
    assert (decision.verdict, decision.is_parked) == ("INITIAL", False)
    assert _words(decision.target) == {"id": "long!", "note": "string", "new": "date"}


def test_new_columns_and_nested_fields_are_added_as_optional_at_the_end() -> None:
    active = (_ID, Column("a", parse_type("struct<x: int>")))
    observed = _observed(Column("a", parse_type("struct<y: date, x: long>")), _NEW, _ID)
    decision = decide(active, observed, SchemaRules())
    assert (decision.verdict, decision.is_parked) == ("NON_BREAKING", False)
    assert _words(decision.target) == {
        "id": "long!",
        "a": "struct<x: long, y: date>",
        "new": "date",
    }


def test_nothing_new_writes_with_the_active_columns() -> None:
    decision = decide((_ID, _NOTE), _observed(_ID), SchemaRules())
    assert (decision.verdict, decision.is_parked, decision.target) == (
        "IDENTICAL",
        False,
        (_ID, _NOTE),
    )


@pytest.mark.parametrize(
    ("observed", "rules"),
    [
        (_observed(_NOTE), SchemaRules()),
        (_observed(replace(_ID, type=parse_type("string"))), SchemaRules()),
        (_observed(_ID, _NEW), SchemaRules(on_new_column="review")),
    ],
)
def test_a_file_is_parked_for_review(observed: Observed, rules: SchemaRules) -> None:
    decision = decide((_ID, _NOTE), observed, rules)
    assert decision.is_parked
    assert decision.difference.changes


def test_the_causes_are_what_a_person_decides_about_and_nothing_harmless_beside_it() -> None:
    active = (_ID, _NOTE, Column("total", parse_type("double")), Column("n", parse_type("int")))
    observed = _observed(
        Column("ids", parse_type("long")),
        Column("total", parse_type("string")),
        Column("n", parse_type("long")),
        _NEW,
    )
    decision = decide(active, observed, SchemaRules())
    assert [change.explanation() for change in decision.causes] == [
        "column `id`: required, long, the file does not have it",
        "column `total`: was double, the file has string",
        "column `id`: perhaps renamed to `ids`, both long",
    ]
    kinds = {change.kind.value for change in decision.difference.changes}
    assert kinds >= {"missing", "added", "widened"}


def test_missing_and_changed_columns_are_written_where_the_declaration_says_so() -> None:
    rules = SchemaRules(on_missing_column="allow", on_type_change="rescue")
    active = (_ID, _NOTE)
    decision = decide(active, _observed(replace(_NOTE, type=parse_type("date"))), rules)
    assert (decision.verdict, decision.is_parked) == ("BREAKING", False)
    assert decision.target == active


@pytest.mark.parametrize(("choice", "ignored"), [("rescue", set()), ("ignore", {"new"})])
def test_new_columns_stay_out_of_the_table(choice: str, ignored: set[str]) -> None:
    observed = _observed(_ID, _NEW, Column("a", parse_type("struct<x: long, y: long>")))
    active = (_ID, Column("a", parse_type("struct<x: long>")))
    decision = decide(active, observed, SchemaRules(on_new_column=choice))  # type: ignore[arg-type]
    assert decision.target == active
    assert decision.ignored == ignored
    assert not decision.is_parked


def test_a_file_without_records_changes_nothing_and_lacks_nothing() -> None:
    decision = decide((_ID,), _observed(records=0), SchemaRules())
    assert (decision.verdict, decision.target) == ("IDENTICAL", (_ID,))
    assert decide(None, _observed(records=0), SchemaRules()).target == ()


@pytest.mark.parametrize("choice", ["merge", "review", "rescue", "ignore"])
def test_no_column_of_the_first_file_is_new(choice: Any) -> None:
    decision = decide(None, _observed(_ID, _NEW), SchemaRules(on_new_column=choice))
    assert (decision.verdict, decision.is_parked, decision.ignored) == ("INITIAL", False, set())
    assert _words(decision.target) == {"id": "long!", "new": "date!"}


def test_a_nested_new_field_waits_for_review_or_stays_out_of_the_table() -> None:
    active = (Column("a", parse_type("struct<x: long>")),)
    observed = _observed(Column("a", parse_type("struct<x: long, y: long>")))
    decision = decide(active, observed, SchemaRules(on_new_column="review"))
    assert [change.path for change in decision.causes] == ["a.y"]
    for choice in ("rescue", "ignore"):
        decision = decide(active, observed, SchemaRules(on_new_column=choice))  # type: ignore[arg-type]
        assert (decision.is_parked, decision.target, decision.ignored) == (False, active, set())


def test_a_required_column_that_the_declaration_makes_optional_may_be_missing() -> None:
    rules = SchemaRules(optional_columns=frozenset({"id"}))
    assert not decide((_ID, _NOTE), _observed(_NOTE), rules).is_parked


def test_iceberg_promotions_are_made_whatever_is_said_of_new_columns_and_types() -> None:
    active = (Column("n", parse_type("int")),)
    for choice in ("review", "rescue", "ignore"):
        rules = SchemaRules(on_new_column=choice, on_type_change="rescue")  # type: ignore[arg-type]
        decision = decide(active, _observed(Column("n", parse_type("long"))), rules)
        assert (decision.verdict, _words(decision.target)) == ("NON_BREAKING", {"n": "long"})

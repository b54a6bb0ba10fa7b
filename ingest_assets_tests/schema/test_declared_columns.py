"""What a changed declaration makes of the table's columns."""

from dataclasses import replace

import pyarrow as pa
import pytest

from ingest_assets.schema.column import Column, Columns, nested_field
from ingest_assets.schema.declared_columns import DeclaredChange, DeclaredColumns, declared_change
from ingest_assets.schema.types import format_type, parse_type


def _column(name: str, type_: str, *, required: bool = False, said: str | None = None) -> Column:
    return Column(name, parse_type(type_), is_required=required, description=said)


_ID = _column("id", "long", required=True)
_N = _column("n", "int")
_NOTE = _column("note", "string")


def _change(
    active: Columns | None, now: Columns, last: Columns = (), optional: frozenset[str] = frozenset()
) -> DeclaredChange:
    return declared_change(active, DeclaredColumns(last), DeclaredColumns(now, optional))


def _words(columns: Columns) -> dict[str, str]:
    return {c.name: format_type(c.type) + ("!" if c.is_required else "") for c in columns}


def test_the_declaration_makes_the_first_version_as_it_is() -> None:
    change = _change(None, (_ID, _N))
    assert (change.difference.verdict, change.target, change.causes) == ("INITIAL", (_ID, _N), ())
    assert [found.path for found in change.difference.changes] == ["id", "n"]


@pytest.mark.parametrize(
    ("now", "target"),
    [
        ((_ID, _N, _NOTE), {"id": "long!", "n": "int", "note": "string"}),
        (
            (_ID, _N, replace(_NOTE, is_required=True)),
            {"id": "long!", "n": "int", "note": "string!"},
        ),
        ((_ID, _column("n", "long")), {"id": "long!", "n": "long"}),
        ((_ID, replace(_N, is_required=True)), {"id": "long!", "n": "int!"}),
        ((replace(_ID, is_required=False), _N), {"id": "long", "n": "int"}),
        ((_N, _ID), {"id": "long!", "n": "int"}),
        ((_ID,), {"id": "long!", "n": "int"}),
    ],
)
def test_what_breaks_nothing_is_applied(now: Columns, target: dict[str, str]) -> None:
    change = _change((_ID, _N), now, last=(_ID, _N))
    assert change.causes == ()
    assert change.difference.verdict in ("IDENTICAL", "NON_BREAKING")
    assert _words(change.target) == target


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        ((replace(_ID, type=parse_type("int")), _N), "column `id`: was long, D has int (narrower)"),
        ((_ID, _column("n", "string")), "column `n`: was int, D has string"),
        ((_N,), "column `id`: required, long, D does not have it"),
        ((), "column `id`: required, long, D does not have it"),
    ],
)
def test_what_breaks_waits_with_all_that_changed_beside_it(now: Columns, cause: str) -> None:
    change = _change((_ID, _N), (*now, _NOTE), last=(_ID, _N))
    assert change.difference.verdict == "BREAKING"
    assert [found.explanation("D") for found in change.causes] == [cause]
    assert _words(change.wanted)["note"] == "string"


def test_what_files_brought_since_the_last_declaration_stays() -> None:
    active = (
        replace(_ID, is_required=False),
        _column("n", "long"),
        _column("a", "struct<x: long, y: date>"),
        _column("new", "date"),
    )
    last = (_ID, _N, _column("a", "struct<x: int>"))
    change = _change(active, (*last, _NOTE), last=last)
    assert change.causes == ()
    assert change.target == (*active, _NOTE)


def test_a_first_declaration_on_a_table_is_compared_whole() -> None:
    active = (replace(_ID, is_required=False), _column("n", "long"), _column("new", "date"))
    assert _words(_change(active, (_ID,)).target) == {"id": "long!", "n": "long", "new": "date"}
    assert [cause.path for cause in _change(active, (_ID, _N)).causes] == ["n"]


def test_nested_fields_are_added_and_widened_and_keep_their_spelling() -> None:
    spelled = pa.struct([nested_field("x", pa.int64(), source_name="X")])
    change = _change((Column("a", spelled),), (_column("a", "struct<y: date, x: long>"),))
    assert change.difference.verdict == "NON_BREAKING"
    assert _words(change.target) == {"a": "struct<x: long, y: date>"}
    assert change.target[0].type.field(0).metadata == {b"source_name": b"X"}


def test_descriptions_come_change_and_go_and_those_of_others_stay() -> None:
    described = replace(_N, description="How many.")
    assert _change((_ID, _N), (described,)).target == (_ID, described)
    assert _change((_ID, described), (_N,), last=(described,)).target == (_ID, _N)
    assert _change((_ID, described), (_N,)).target == (_ID, described)
    assert _change((_ID, _N), (described,)).difference.verdict == "IDENTICAL"


def test_optional_columns_are_not_required_any_more_also_those_that_are_not_declared() -> None:
    change = _change((_ID, _N), (), optional=frozenset({"id", "unknown"}))
    assert _words(change.target) == {"id": "long", "n": "int"}
    assert change.difference.verdict == "NON_BREAKING"
    same = DeclaredColumns((), frozenset({"id"}))
    assert declared_change((_ID,), same, same).target == (_ID,)


def test_a_required_column_leaves_the_declaration_as_an_optional_one() -> None:
    change = _change((_ID, _N), (_N,), last=(_ID, _N), optional=frozenset({"id"}))
    assert change.causes == ()
    assert _words(change.target) == {"id": "long", "n": "int"}

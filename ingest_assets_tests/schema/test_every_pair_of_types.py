"""Every type against every other, at every depth: verdict, decisions, what the table must do."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.schema.column import Column, Columns, accepts_any, nested_field
from ingest_assets.schema.conversion import NO_MISFITS, can_convert, convert
from ingest_assets.schema.difference import Change, ChangeKind, Verdict, difference
from ingest_assets.schema.fit import FITS, fitter
from ingest_assets.schema.judged_types import judged_type
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.resolution import accepted, merged
from ingest_assets.schema.types import columns_from_json, columns_to_json
from ingest_assets.tables.operations import AddColumn, Path, Promote, Retype
from ingest_assets.tables.wanted_columns import operations_to_hold

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC).replace(tzinfo=None)

# Each type with a value of it as Arrow gives it.
SCALARS: dict[str, tuple[pa.DataType, Any]] = {
    "boolean": (pa.bool_(), True),
    "int": (pa.int32(), 1),
    "long": (pa.int64(), 2**40),
    "float": (pa.float32(), 0.5),
    "double": (pa.float64(), 0.1),
    "decimal(9,2)": (pa.decimal128(9, 2), Decimal("1.25")),
    "decimal(18,2)": (pa.decimal128(18, 2), Decimal("1234567890.25")),
    "decimal(18,3)": (pa.decimal128(18, 3), Decimal("1.125")),
    "date": (pa.date32(), NOON.date()),
    "time": (pa.time64("us"), NOON.time()),
    "timestamp": (pa.timestamp("us"), NOON),
    "timestamptz": (pa.timestamp("us", "UTC"), NOON.replace(tzinfo=datetime.UTC)),
    "string": (pa.string(), "x"),
    "binary": (pa.binary(), b"x"),
    "fixed(2)": (pa.binary(2), b"xy"),
}
NESTED: dict[str, tuple[pa.DataType, Any]] = {
    "struct": (pa.struct([("f", pa.int64())]), {"f": 1}),
    "list": (pa.list_(pa.int64()), [1]),
    "map": (pa.map_(pa.string(), pa.int64()), [("k", 1)]),
}
TYPES = SCALARS | NESTED
WIDER = {("int", "long"), ("float", "double"), ("decimal(9,2)", "decimal(18,2)")}


@dataclass(frozen=True)
class Nesting:
    """Where a type stands in the column `c`: how it is wrapped, and what leads to it."""

    of_type: Callable[[pa.DataType], pa.DataType]
    of_value: Callable[[Any], Any]
    inside: Callable[[pa.DataType], pa.Field]
    change: str
    path: Path


NESTINGS = {
    "column": Nesting(lambda t: t, lambda v: v, lambda t: pa.field("c", t), "c", ("c",)),
    "field": Nesting(
        lambda t: pa.struct([("a", pa.int64()), ("b", t)]),
        lambda v: {"a": 1, "b": v},
        lambda t: t.field("b"),
        "c.b",
        ("c", "b"),
    ),
    "element": Nesting(
        pa.list_, lambda v: [v, None], lambda t: t.value_field, "c[]", ("c", "element")
    ),
    "value": Nesting(
        lambda t: pa.map_(pa.string(), t),
        lambda v: [("k", v)],
        lambda t: t.item_field,
        "c{}",
        ("c", "value"),
    ),
    "field of an element": Nesting(
        lambda t: pa.list_(pa.struct([("b", t)])),
        lambda v: [{"b": v}, None],
        lambda t: t.value_type.field("b"),
        "c[].b",
        ("c", "element", "b"),
    ),
}
PAIRS = [(before, after) for before, after in product(TYPES, TYPES) if before != after]


def column(nesting: Nesting, type_: pa.DataType) -> Columns:
    return (Column("c", nesting.of_type(type_), is_required=True),)


def takes_any(nesting: Nesting, found: Column) -> bool:
    if nesting.path == ("c",):
        return found.accepts_any
    return accepts_any(nesting.inside(found.type))


def kind_of(before: str, after: str) -> ChangeKind:
    if (before, after) in WIDER:
        return ChangeKind.WIDENED
    return ChangeKind.NARROWED if (after, before) in WIDER else ChangeKind.TYPE_CHANGED


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_a_type_differs_from_every_other_and_only_a_promotion_breaks_nothing(
    nesting: Nesting,
) -> None:
    for name, (type_, _) in TYPES.items():
        same = difference(column(nesting, type_), column(nesting, type_))
        assert (same.verdict, same.changes) == (Verdict.IDENTICAL, ()), name
    for before, after in PAIRS:
        found = difference(column(nesting, TYPES[before][0]), column(nesting, TYPES[after][0]))
        (change,) = found.changes
        kind = kind_of(before, after)
        assert (change.kind, change.path) == (kind, nesting.change), (before, after)
        is_breaking = kind is not ChangeKind.WIDENED
        verdict = Verdict.BREAKING if is_breaking else Verdict.NON_BREAKING
        assert (change.is_breaking, found.verdict) == (is_breaking, verdict), (before, after)


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_accepted_is_the_type_of_the_file_and_the_table_is_made_to_hold_it(
    nesting: Nesting,
) -> None:
    for before, after in PAIRS:
        old, new = column(nesting, TYPES[before][0]), column(nesting, TYPES[after][0])
        found = accepted(old, new, frozenset({"c"}))
        held = old if kind_of(before, after) is ChangeKind.NARROWED else new
        assert columns_to_json(found) == columns_to_json(held), (before, after)
        expected: dict[ChangeKind, tuple[Any, ...]] = {
            ChangeKind.WIDENED: (Promote(nesting.path, TYPES[after][0]),),
            ChangeKind.NARROWED: (),  # the wider column holds it
            ChangeKind.TYPE_CHANGED: (Retype(nesting.path, TYPES[after][0], TYPES[before][0]),),
        }
        assert operations_to_hold(old, found) == expected[kind_of(before, after)], (before, after)


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_merged_is_the_wider_of_two_types_and_else_text_of_any_value(nesting: Nesting) -> None:
    for before, after in PAIRS:
        old, new = column(nesting, TYPES[before][0]), column(nesting, TYPES[after][0])
        (found,) = merged(old, new)
        kind = kind_of(before, after)
        if kind is ChangeKind.TYPE_CHANGED:
            wanted, operations = pa.string(), (Retype(nesting.path, pa.string(), TYPES[before][0]),)
            operations = () if before == "string" else operations
        elif kind is ChangeKind.WIDENED:
            wanted, operations = TYPES[after][0], (Promote(nesting.path, TYPES[after][0]),)
        else:
            wanted, operations = TYPES[before][0], ()
        assert found.type == nesting.of_type(wanted), (before, after)
        assert takes_any(nesting, found) is (kind is ChangeKind.TYPE_CHANGED), (before, after)
        assert found.is_required
        assert operations_to_hold(old, (found,)) == operations, (before, after)
        assert columns_to_json(columns_from_json(columns_to_json((found,)))) == columns_to_json(
            (found,)
        )


@pytest.mark.parametrize("nesting", NESTINGS.values(), ids=NESTINGS)
def test_merged_columns_hold_the_rows_of_the_table_and_the_values_of_both_files(
    nesting: Nesting,
) -> None:
    for before, after in PAIRS:
        old, new = column(nesting, TYPES[before][0]), column(nesting, TYPES[after][0])
        (found,) = merged(old, new)
        rows = pa.array([nesting.of_value(TYPES[before][1]), None], old[0].type)
        assert can_convert(old[0].type, found.type) or kind_of(before, after) is ChangeKind.WIDENED
        if kind_of(before, after) is ChangeKind.TYPE_CHANGED:
            converted, misfits = convert(rows, found.type)
            assert misfits == NO_MISFITS, (before, after)
            assert converted.null_count == 1
        fit = fitter(found.type, takes_any=found.accepts_any)
        for name in (before, after):
            fitted, left = fit(nesting.of_value(TYPES[name][1]))
            assert left is FITS, (before, after, name, left)
            assert pa.array([fitted], found.type).null_count == 0


@pytest.mark.parametrize("resolution", ["accept", "merge"])
def test_fields_that_one_side_lacks_stay_or_come_at_every_depth(resolution: str) -> None:
    def at_depth(*names: str) -> Columns:
        inner = pa.struct([(name, pa.int64()) for name in names])
        return (
            *(Column(name, pa.int64(), is_required=True) for name in names),
            Column("s", inner),
            Column("l", pa.list_(inner)),
            Column("m", pa.map_(pa.string(), inner)),
        )

    old, new = at_depth("both", "gone"), at_depth("both", "come")
    after = (
        accepted(old, new, frozenset({"both", "come"}))
        if resolution == "accept"
        else merged(old, new)
    )

    found = {column.name: column for column in after}
    assert list(found) == ["both", "gone", "s", "l", "m", "come"]
    required = {name for name, column in found.items() if column.is_required}
    assert required == ({"both", "come"} if resolution == "accept" else {"both"})
    inner = pa.struct([(name, pa.int64()) for name in ("both", "gone", "come")])
    assert found["s"].type == inner
    assert found["l"].type == pa.list_(inner)
    assert found["m"].type == pa.map_(pa.string(), inner)
    assert set(operations_to_hold(old, after)) == {
        AddColumn(("come",), pa.int64()),
        AddColumn(("s", "come"), pa.int64()),
        AddColumn(("l", "element", "come"), pa.int64()),
        AddColumn(("m", "value", "come"), pa.int64()),
    }
    assert operations_to_hold(after, old) == ()


@pytest.mark.parametrize("path", ["n", "s.n", "l[].n"])
def test_a_new_column_under_review_parks_until_it_is_decided_about(path: str) -> None:
    with_new = pa.struct([("k", pa.int64()), ("n", pa.string())])
    without_new = pa.struct([("k", pa.int64())])

    def columns(where: str) -> Columns:
        return (
            Column("s", with_new if where == "s.n" else without_new),
            Column("l", pa.list_(with_new if where == "l[].n" else without_new)),
            *((Column("n", pa.string()),) if where == "n" else ()),
        )

    old = columns("nowhere")
    observed = Observed(columns(path), 2, {}, frozenset())
    rules = SchemaRules(on_new_column="review")

    waiting = decide(old, observed, rules)
    assert [(c.kind, c.path) for c in waiting.causes] == [(ChangeKind.ADDED, path)]
    for after in (accepted(old, observed.columns, frozenset()), merged(old, observed.columns)):
        assert not decide(after, observed, rules).is_parked
        assert not decide(after, Observed(old, 2, {}, frozenset()), rules).is_parked
    ignoring = SchemaRules(on_new_column="review", ignored=waiting.causes)
    ignored = decide(old, observed, ignoring)
    assert not ignored.is_parked
    assert ignored.target == old
    of_any_type = (Change(ChangeKind.ADDED, path, None, None),)
    dropped = decide(old, observed, SchemaRules(on_new_column="merge", ignored=of_any_type))
    assert dropped.target == old


def test_nested_fields_that_take_any_value_keep_their_type_whatever_a_file_declares() -> None:
    text = nested_field("a", pa.string(), accepts_any=True)
    for own in (pa.int64(), pa.struct([("b", pa.int64())]), pa.list_(pa.int64())):
        assert judged_type(pa.string(), own, takes_any=True) == pa.string()
        found = judged_type(pa.struct([text]), pa.struct([("a", own)]))
        assert found == pa.struct([("a", pa.string())])
        assert accepts_any(found.field("a"))
        element = nested_field("element", pa.string(), accepts_any=True)
        assert judged_type(pa.list_(element), pa.list_(own)) == pa.list_(pa.string())
        item = nested_field("value", pa.string(), accepts_any=True)
        before, after = pa.map_(pa.string(), item), pa.map_(pa.string(), own)
        assert judged_type(before, after) == before
    assert judged_type(pa.string(), pa.list_(pa.int64())) == pa.list_(pa.int64())

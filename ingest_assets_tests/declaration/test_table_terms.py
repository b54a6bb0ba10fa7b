"""How partitions and sort orders are written."""

import pytest

from ingest_assets.declaration.table_terms import PartitionTerm, SortTerm


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("region", PartitionTerm("identity", "region")),
        (" region ", PartitionTerm("identity", "region")),
        ("identity(region)", PartitionTerm("identity", "region")),
        ("year(at)", PartitionTerm("year", "at")),
        ("month(at)", PartitionTerm("month", "at")),
        ("day(ordered_at)", PartitionTerm("day", "ordered_at")),
        ("hour( at )", PartitionTerm("hour", "at")),
        ("bucket(16, customer_id)", PartitionTerm("bucket", "customer_id", 16)),
        ("bucket( 16,customer_id )", PartitionTerm("bucket", "customer_id", 16)),
        ("truncate(4, sku)", PartitionTerm("truncate", "sku", 4)),
        ("day", PartitionTerm("identity", "day")),
    ],
)
def test_a_partition_is_read(text: str, term: PartitionTerm) -> None:
    assert PartitionTerm.parse(text) == term


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a partition; write a column, or one of"),
        ("week(at)", "is not a partition"),
        ("day(at", "is not a partition"),
        ("day()", "is not a partition"),
        ("a b", "is not a partition"),
        ("a; drop", "is not a partition"),
        ("bucket(customer_id, 16)", "is not a partition"),
        ("bucket(-1, a)", "is not a partition"),
        ("bucket(1.5, a)", "is not a partition"),
        ("day(a), hour(b)", "is not a partition"),
        ("bucket(a)", "needs a width above 0, as in bucket"),
        ("truncate(0, a)", "needs a width above 0, as in truncate"),
        ("bucket(99999999999, a)", "width"),
        ("day(3, at)", "takes a column and no width"),
    ],
)
def test_what_is_no_partition_is_refused_with_what_would_be(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PartitionTerm.parse(text)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("customer_id", SortTerm("customer_id")),
        ("customer_id asc", SortTerm("customer_id")),
        ("ordered_at desc", SortTerm("ordered_at", is_descending=True, nulls_first=False)),
        ("ordered_at DESC", SortTerm("ordered_at", is_descending=True, nulls_first=False)),
        ("at asc nulls last", SortTerm("at", nulls_first=False)),
        ("at desc nulls first", SortTerm("at", is_descending=True)),
        (" at  nulls   last ", SortTerm("at", nulls_first=False)),
        ("desc", SortTerm("desc")),
    ],
)
def test_a_sort_order_is_read(text: str, term: SortTerm) -> None:
    assert SortTerm.parse(text) == term


@pytest.mark.parametrize("text", ["", "a b", "a descending", "day(at)", "a, b", "a nulls", "-a"])
def test_what_is_no_sort_order_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a sort term; write `column`"):
        SortTerm.parse(text)

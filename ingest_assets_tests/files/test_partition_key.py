"""Partition keys come back as the keys they were made of, and Dagster takes every one."""

import dagster as dg
import pytest
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS
from hypothesis import example, given
from hypothesis import strategies as st

from ingest_assets.files.partition_key import key_of, partition_key_of

_ALPHABET = st.one_of(
    st.sampled_from(list("./%20ABCDEFabcdef")), st.characters(exclude_categories=["Cs"])
)
KEYS = st.text(_ALPHABET, min_size=1, max_size=60)


@given(KEYS)
@example("%2E%2E%2E")
@example("....")
@example("a\r\nb")
@example("%C3%A9é")
@example("50%")
def test_a_partition_key_gives_its_key_back(key: str) -> None:
    assert key_of(partition_key_of(key)) == key


@given(KEYS, KEYS)
def test_two_keys_never_have_one_partition_key(one: str, other: str) -> None:
    assert (partition_key_of(one) == partition_key_of(other)) == (one == other)


@given(KEYS)
@example("".join(INVALID_PARTITION_SUBSTRINGS))
def test_no_partition_key_holds_what_dagster_forbids(key: str) -> None:
    partition_key = partition_key_of(key)
    assert not [part for part in INVALID_PARTITION_SUBSTRINGS if part in partition_key]


@pytest.mark.parametrize("key", ["2026/01/orders.json", "日本/注文 1.json", "a..b/~x|y[0].json"])
def test_what_dagster_takes_stands_for_itself(key: str) -> None:
    assert partition_key_of(key) == key


@pytest.mark.parametrize(
    ("key", "partition_key"),
    [
        ("a\nb", "a%0Ab"),
        ("50%20.json", "50%2520.json"),
        ("a...b", "a%2E%2E%2Eb"),
        ("\x7f\x00", "%7F%00"),
    ],
)
def test_what_dagster_forbids_is_percent_encoded(key: str, partition_key: str) -> None:
    assert partition_key_of(key) == partition_key


def test_dagster_keeps_such_partitions() -> None:
    keys = [*INVALID_PARTITION_SUBSTRINGS, "....", "a%0Ab", "a\nb", "日本", "x" * 1024, " ", "é"]
    partitions = dg.DynamicPartitionsDefinition(name="orders")
    partition_keys = [partition_key_of(key) for key in keys]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("orders", partition_keys)
        stored = partitions.get_partition_keys(dynamic_partitions_store=instance)
    assert [key_of(partition_key) for partition_key in stored] == keys

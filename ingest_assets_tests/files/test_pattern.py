"""Which keys a glob means."""

import pytest

from ingest_assets.files.pattern import exactly, matcher


@pytest.mark.parametrize(
    ("pattern", "key", "is_match"),
    [
        ("**/*", "a.json", True),
        ("**/*", "a/b/c.json", True),
        ("**/*", ".hidden/.file", True),
        ("**/*.json", "a.json", True),
        ("**/*.json", "a/b/c.json", True),
        ("**/*.json", ".json", True),
        ("**/*.json", "a.json.gz", False),
        ("**/*.json", "a.JSON", False),
        ("*.json", "a.json", True),
        ("*.json", "a/b.json", False),
        ("*", ".hidden", True),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("a/*/c", "a/c", False),
        ("a/**/c", "a/c", True),
        ("a/**/c", "a/b/b/c", True),
        ("a/**", "a/b/c", True),
        ("**", "a", True),
        ("**", "a/b", True),
        ("{a,b}/*.{json,csv}", "b/x.csv", True),
        ("{a,b}/*.{json,csv}", "c/x.csv", False),
        ("orders-[0-9][!a].json", "orders-1b.json", True),
        ("orders-[0-9][!a].json", "orders-1a.json", False),
        ("orders-?.json", "orders-é.json", True),
        ("orders-?.json", "orders-12.json", False),
        ("**/*", "line\nbreak", True),
        ("**/*.json", "line\nbreak.json", True),
        ("**/*.json", "line\nbreak.json\n", False),
        ("**/*", "a/../b", True),
        ("**/*", "./a", True),
        ("**/*", "..", True),
        ("**/*.json", "../a.json", True),
        ("../*", "../a", True),
        ("*", "a/..", False),
        ("**/*", "a//b", True),
        ("**/*", "back\\slash", True),
        ("**/*", "a..b/...", True),
        ("50%/*", "50%/a", True),
        ("~/*", "~/a", True),
        ("!a", "!a", True),
        ("-a", "-a", True),
    ],
)
def test_a_pattern_means_these_keys(pattern: str, key: str, is_match: bool) -> None:
    assert matcher(pattern)(key) is is_match


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("a/b.json", "a/c.json"),
        ("*", "a"),
        ("a?[1]{b,c}.json", "ab1b.json"),
        ("a//./../b", "a/b"),
        ("back\\slash*", "back\\slashes"),
        ("!a", "b"),
        ("it's $(odd)\n", "it's odd"),
    ],
)
def test_a_key_may_be_meant_exactly(key: str, other: str) -> None:
    matches = matcher(exactly(key))
    assert matches(key)
    assert not matches(other)


def test_too_many_alternatives_are_refused() -> None:
    with pytest.raises(ValueError, match="too many patterns"):
        matcher("{1..100000}.json")

"""What may change in a declaration: the rules, the docs' table, and what the ledger keeps."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

import ingest_assets
from ingest_assets.declaration.change_rules import RULES, Effect, docs_table, rule_of
from ingest_assets.declaration.declared_changes import as_applied, changes, kept
from ingest_assets.ingestion import Ingestion
from ingest_assets_tests.declaration.test_declarations import EVERY_FIELD, REQUIRED, _leaves

PAGE = Path(ingest_assets.__file__).parents[1] / "docs" / "declaration.md"


def declared(**sections: Any) -> dict[str, Any]:
    attributes = copy.deepcopy(REQUIRED)
    for section, value in sections.items():
        is_part = isinstance(value, dict) and section in attributes
        attributes[section] = {**attributes[section], **value} if is_part else value
    return as_applied(Ingestion.model_validate(attributes))


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Effect]:
    return {change.rule.field: change.rule.effect for change in changes(before, after)}


def test_every_field_has_a_rule_and_every_rule_a_field() -> None:
    every = yaml.safe_load(EVERY_FIELD)["attributes"]
    leaves = list(_leaves(Ingestion.model_validate(every)))
    assert [leaf for leaf in leaves if rule_of(leaf) is None] == []
    # What table.… holds besides is said by its rule of the whole section.
    fields = [rule.field for rule in RULES]
    known = {".".join(leaf.split(".")[:n]) for leaf in leaves for n in (1, 2, 3)}
    assert set(fields) <= known
    assert len(set(fields)) == len(fields)


def test_the_docs_have_the_table_that_the_code_goes_by() -> None:
    assert "\n".join(docs_table()) in PAGE.read_text()


def test_a_change_is_told_by_its_field_and_its_effect() -> None:
    before = declared()
    assert changed(before, declared()) == {}
    after = declared(
        source={"pattern": "*.json", "settle_seconds": 5},
        format={"type": "csv"},
        schema={"on_new_column": "review", "columns": [{"name": "id", "type": "long"}]},
        table={"sort_by": ["id"]},
        batch={"max_files": 2},
    )
    assert changed(before, after) == {
        "source.pattern": Effect.AT_ONCE,
        "source.settle_seconds": Effect.AT_ONCE,
        "format": Effect.LATER_FILES,
        "schema.columns": Effect.JUDGED,
        "schema": Effect.LATER_FILES,
        "table.sort_by": Effect.NEW_TABLE,
        "batch": Effect.AT_ONCE,
    }


def test_a_layout_that_is_left_out_is_the_tables_own_and_is_remembered() -> None:
    day = declared(table={"partition_by": ["day(at)"], "sort_by": ["id"]})
    month = declared(table={"partition_by": ["month(at)"], "sort_by": ["id"]})
    left = declared()
    assert changed(day, left) == {}
    assert kept(day, left)["table"]["partition_by"] == ["day(at)"]
    assert changed(kept(day, left), month) == {"table.partition_by": Effect.NEW_TABLE}
    assert changed(kept(day, left), day) == {}
    assert set(changed(left, day)) == {"table.sort_by", "table.partition_by"}


def test_a_field_that_a_release_did_not_have_is_no_change() -> None:
    before = declared()
    del before["table"]["sort_by"]
    del before["engine"]
    after = declared(table={"sort_by": ["id"]})
    assert changed(before, after) == {}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.field)
def test_the_docs_say_something_of_each_rule(rule: Any) -> None:
    assert rule.said
    assert "|" not in rule.said

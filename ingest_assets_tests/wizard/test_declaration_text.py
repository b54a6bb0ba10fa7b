"""The text that the wizard writes says exactly what was answered, whatever that was."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_assets.declaration.declared import UniqueKeyLoader
from ingest_assets.ingestion import Ingestion
from ingest_assets.wizard.answers import answers_of, attributes_of, problem_of, terms
from ingest_assets.wizard.declaration_text import OTHERS, SAID, declaration_text
from ingest_assets.wizard.templates import TEMPLATES

REQUIRED: dict[str, Any] = {
    "name": "orders",
    "source.uri": "s3://landing/orders/",
    "format.type": "csv",
    "table.identifier": "raw.orders",
}
ODD = (
    "yes|no|null|~|0777|1e3|1:30|2026-11-22|- a|# a|a: b|*x|&x|!x|%x|@x|`x`|'|\"|\\|\t|\r\n|"
    "\x85|\u2028|\ufeff|...|---|a #b|{a: 1}|[1]|?|>| a|a |=|<<|\U0001f600|"
)
TEXTS = st.one_of(st.text(), st.sampled_from(ODD.split("|")))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
FIELDS = st.sampled_from([*SAID, "batch", "alerts", "retries", "source.start", "table.sort_by"])


def loaded(text: str) -> Any:
    return yaml.load(text, Loader=UniqueKeyLoader)["attributes"]


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(FIELDS, VALUES.filter(lambda value: value is not None), min_size=1))
def test_what_is_loaded_is_what_was_written(answers: dict[str, Any]) -> None:
    attributes = attributes_of(answers)
    assert loaded(declaration_text(attributes, "a test")) == attributes


@settings(max_examples=100, deadline=None)
@given(
    pattern=st.text(min_size=1).filter(lambda text: problem_of("source.pattern", text) is None),
    description=TEXTS,
    delimiter=st.sampled_from([",", ";", "\t", "|", ":", "#"]),
    properties=st.dictionaries(st.text(min_size=1), TEXTS, max_size=3).filter(
        lambda found: problem_of("table.properties", found) is None
    ),
    changed=st.sampled_from(["replace", "append", "ignore", "fail"]),
)
def test_a_declaration_that_holds_is_the_same_after_a_round_trip(
    pattern: str, description: str, delimiter: str, properties: dict[str, str], changed: str
) -> None:
    answers = {
        **REQUIRED,
        "source.pattern": pattern,
        "description": description,
        "format.options": {"delimiter": delimiter},
        "table.properties": properties,
        "source.on_changed_file": changed,
    }
    meant = Ingestion.model_validate(attributes_of(answers))
    text = declaration_text(attributes_of(answers), "a test")
    assert Ingestion.model_validate(loaded(text)) == meant
    again = declaration_text(attributes_of(answers_of(meant)), "a test")
    assert Ingestion.model_validate(loaded(again)) == meant


@pytest.mark.parametrize(
    ("section", "line"), [(section, line) for section in OTHERS for line, _ in OTHERS[section]]
)
def test_each_field_behind_a_comment_may_be_taken_as_it_stands(section: str, line: str) -> None:
    answers = {**REQUIRED, "schema.on_new_column": "merge"}
    text = declaration_text(attributes_of(answers), "a test")
    uncommented = text.replace(f"# {line}  #", f"{line}  #")
    assert uncommented != text
    found = Ingestion.model_validate(loaded(uncommented))
    field = line.partition(":")[0]
    place = "" if section in ("", "end") else f"{section}."
    assert field in str(answers_of(found)) or problem_of(f"{place}{field}", None) is None


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=list(TEMPLATES))
def test_each_template_has_answers_that_hold(template: Any) -> None:
    answers = {name: v for name, v in template.answers.items() if name != "trigger"}
    cron = answers.pop("schedule.cron", None)
    if cron is not None:
        answers["schedule"] = {"cron": cron}
    uri = answers.get("source.uri", "s3://{bucket}/x/").format(bucket="landing")
    assert Ingestion.model_validate(attributes_of({**REQUIRED, **answers, "source.uri": uri}))


def test_terms_are_parted_by_commas_outside_of_brackets() -> None:
    assert terms(" bucket(16, id),region ,day(at)") == ["bucket(16, id)", "region", "day(at)"]
    assert terms("-") == terms("") == []

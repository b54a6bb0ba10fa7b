"""Where a message sends people, whatever somebody called a file."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest_assets.alerts.wording import Composer
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.alert_deliveries import Event
from ingest_assets.ledger.states import AlertKind
from ingest_assets_tests.end_to_end.workshop import attributes

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def link_of(key: str, ui_url: str | None = "https://dagster.example/ui/") -> str:
    composer = Composer(Ingestion.model_validate(attributes("landing")), ui_url)
    detail = {"key": key, "error_type": "E", "error": "damaged"}
    return composer.message(AlertKind.DEAD_LETTER, [Event(1, NOON, detail)]).link


@pytest.mark.parametrize("key", ["2026/a b.jsonl", "\u00fc&partition=x#?+.jsonl", "100%\n.jsonl"])
def test_a_link_chooses_the_file_among_the_partitions(key: str) -> None:
    link = urlsplit(link_of(key))
    assert link.path == "/ui/assets/raw/orders"
    assert parse_qs(link.query) == {"view": ["partitions"], "partition": [partition_key_of(key)]}
    assert not link.fragment


def test_a_link_is_a_path_without_an_address_and_never_endless() -> None:
    assert link_of("a", None) == "/assets/raw/orders?view=partitions&partition=a"
    assert link_of("\u00fc" * 500).endswith("?view=partitions")

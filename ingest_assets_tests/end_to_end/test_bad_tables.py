"""Tables that are not what the ledger thinks: dropped, somebody else's, or declared twice."""

from pathlib import Path

import pytest

from ingest_assets.errors import TableMissingError, TableOwnershipError
from ingest_assets.orchestration.one_pass import ingest_once
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop


def test_a_dropped_table_stops_the_pass_and_keeps_every_file_waiting(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    workshop.deployment.catalog.drop_table("raw.orders")
    workshop.put("b.jsonl", json_lines(orders(4)))
    for _ in range(2):
        with pytest.raises(TableMissingError, match=r"raw\.orders is not in the catalog any more"):
            workshop.ingest()
    file = workshop.files()["b.jsonl"]
    assert (file.status, file.attempts, file.error) == ("DISCOVERED", 0, None)
    assert workshop.statuses()["a.jsonl"] == "SUCCESS"
    assert not workshop.deployment.catalog.table_exists("raw.orders")


def test_a_dropped_table_is_built_again_by_materializing_its_partitions(
    workshop: Workshop,
) -> None:
    for number, key in enumerate(("a.jsonl", "b.jsonl", "c.jsonl")):
        workshop.put(key, json_lines(orders(1 + number * 3)))
    workshop.ingest()
    workshop.deployment.catalog.drop_table("raw.orders")
    assert workshop.materialize("a.jsonl", "c.jsonl").success
    assert workshop.order_ids() == list(range(1, 10))
    assert set(workshop.statuses().values()) == {"SUCCESS"}
    workshop.put("d.jsonl", json_lines(orders(10)))
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == list(range(1, 13))


def test_a_table_of_another_deployment_is_refused_and_stays_as_it_is(
    workshop: Workshop, tmp_path: Path, postgres_url: str
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    snapshot = workshop.deployment.catalog.load_table("raw.orders").current_snapshot()
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.deployment SET ledger_id = 'another'")
    stranger = Workshop.deployment_on(
        workshop.deployment.settings.home, workshop.deployment.settings.postgres_url or ""
    )
    workshop.put("b.jsonl", json_lines(orders(4)))
    with pytest.raises(TableOwnershipError, match="belongs to another deployment"):
        ingest_once(stranger, workshop.ingestion(), workshop.instance)
    stranger.ledger.dispose()
    assert workshop.statuses()["b.jsonl"] == "DISCOVERED"
    assert workshop.deployment.catalog.load_table("raw.orders").current_snapshot() == snapshot


def test_a_second_ingestion_that_names_the_same_table_is_refused(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    workshop.put("a.jsonl", json_lines(orders(4)), name="copies")
    second = {
        "name": "copies",
        "source": {"uri": f"s3://{workshop.bucket}/copies/"},
        "table": {"identifier": "raw.orders"},
    }
    with pytest.raises(TableOwnershipError, match="belongs to the ingestion 'orders'"):
        workshop.ingest(**second)
    assert workshop.order_ids() == [1, 2, 3]
    assert workshop.files("copies") == {}


def test_an_ingestion_that_changes_its_table_is_refused(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    with pytest.raises(TableOwnershipError, match=r"has written to raw\.orders so far"):
        workshop.ingest(table={"identifier": "raw.elsewhere"})
    assert workshop.order_ids() == [1, 2, 3]

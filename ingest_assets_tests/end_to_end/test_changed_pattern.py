"""The declaration's pattern is narrowed or widened while files wait."""

from typing import Any

import pytest

from ingest_assets.engine import wanted_files
from ingest_assets.ledger import pattern
from ingest_assets.orchestration.one_pass import PassResult
from ingest_assets.orchestration.planned_batches import plan_one, settle_planned
from ingest_assets.orchestration.tick import run_tick
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

JUNK = {
    "cut.junk": cut_gzip(orders(100, 400)),
    "other.junk": json_lines(orders(4, amount={"value": 4})),
    "bad.junk": b"{no json",
}


def ingest(workshop: Workshop, wanted: str) -> PassResult:
    return workshop.ingest(source={"pattern": wanted})


def put_all(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.put("good.junk", json_lines(orders(7)))
    for key, body in JUNK.items():
        workshop.put(key, body)


def test_files_that_wait_and_that_the_pattern_leaves_out_are_skipped_and_count_no_more(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted_files, "PAGE_FILES", 2)
    put_all(workshop)
    assert ingest(workshop, "**/*").waiting == {"DEAD_LETTER": 2, "PARKED": 1}
    assert set(workshop.instance.get_dynamic_partitions("orders")) == set(workshop.files())

    result = ingest(workshop, "**/*.jsonl")

    assert result.is_all_well
    done = {"a.jsonl": "SUCCESS", "good.junk": "SUCCESS"}
    assert workshop.statuses() == dict.fromkeys(JUNK, "SKIPPED") | done
    for key in JUNK:
        error = workshop.files()[key].error or ""
        assert error.startswith("source.pattern (**/*.jsonl) leaves it out.")
    assert set(workshop.instance.get_dynamic_partitions("orders")) == set(done)
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9]


def test_a_file_whose_earlier_rows_are_in_the_table_is_not_left_out(workshop: Workshop) -> None:
    workshop.put("a.junk", json_lines(orders(1)))
    assert ingest(workshop, "**/*").is_all_well
    workshop.put("a.junk", b"{no json")
    ingest(workshop, "**/*")
    ingest(workshop, "**/*.jsonl")
    assert workshop.statuses() == {"a.junk": "DEAD_LETTER"}
    assert workshop.instance.get_dynamic_partitions("orders") == ["a.junk"]
    assert workshop.order_ids() == [1, 2, 3]


def test_a_file_that_the_pattern_has_again_is_read_again(workshop: Workshop) -> None:
    put_all(workshop)
    ingest(workshop, "**/*")
    ingest(workshop, "**/*.jsonl")
    workshop.put("bad.junk", json_lines(orders(10)))
    assert ingest(workshop, "**/*.jsonl").is_all_well

    assert ingest(workshop, "**/{a,bad,cut}.*").waiting == {"DEAD_LETTER": 1}

    assert workshop.statuses() == {
        "a.jsonl": "SUCCESS",
        "bad.junk": "SUCCESS",
        "cut.junk": "DEAD_LETTER",
        "good.junk": "SUCCESS",
        "other.junk": "SKIPPED",
    }
    assert workshop.files()["cut.junk"].attempts == 1
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9, 10, 11, 12]


def test_a_file_that_a_batch_holds_is_left_out_when_it_is_free(workshop: Workshop) -> None:
    workshop.put("a.junk", json_lines(orders(1)))
    wide, narrow = (workshop.ingestion(source={"pattern": p}) for p in ("**/*", "**/*.jsonl"))
    workshop.deployment.ledger.register("orders", "raw.orders")
    run_tick(workshop.deployment, wide, workshop.instance, "sensor")
    run_tick(workshop.deployment, narrow, workshop.instance, "sensor")
    assert workshop.statuses() == {"a.junk": "DISCOVERED"}
    _, [batch] = settle_planned(workshop.deployment, narrow, workshop.instance)
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.files SET batch_id = NULL")
        connection.exec_driver_sql("UPDATE ingest.batches SET status = 'RELEASED'")
    assert batch.keys == ("a.junk",)

    run_tick(workshop.deployment, narrow, workshop.instance, "sensor")

    assert workshop.statuses() == {"a.junk": "SKIPPED"}
    assert plan_one(workshop.deployment, narrow, "sensor") is None


def test_files_are_looked_through_once_for_a_pattern(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    waiting_files = pattern.waiting_files

    def seen(*arguments: Any, **named: Any) -> Any:
        looks.append(named)
        return waiting_files(*arguments, **named)

    monkeypatch.setattr(pattern, "waiting_files", seen)
    put_all(workshop)
    for wanted, count in (("**/*", 1), ("**/*", 1), ("**/*.junk", 2), ("**/*", 3), ("**/*", 3)):
        ingest(workshop, wanted)
        assert len(looks) == count

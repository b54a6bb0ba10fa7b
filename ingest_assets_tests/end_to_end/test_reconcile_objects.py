"""Objects that are elsewhere, that are no files, or that a queue should have told of."""

from ingest_assets.engine.disagreement import Remedy
from ingest_assets_tests.end_to_end.finishing import Landing, upkeep
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.test_reconcile import (
    check,
    later,
    mend,
    said,
    table,
)
from ingest_assets_tests.end_to_end.workshop import Workshop


def test_a_file_that_was_moved_after_success_is_there_and_can_be_read_again(
    workshop: Workshop,
) -> None:
    landing = Landing(workshop)
    rules = landing.declared("move")
    landing.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    found = check(workshop, **rules)
    assert (said(found), found.gone_objects) == ([], 0)

    table(workshop).delete("order_id = 2")
    found = check(workshop, **rules)
    assert said(found) == [("row_count", "a.jsonl", Remedy.READ_AGAIN)]
    assert len(mend(workshop, found)) == 1
    assert said(check(workshop, **rules)) == [("row_count", "a.jsonl", Remedy.READ_AGAIN)]
    workshop.ingest(**rules)
    assert said(check(workshop, **rules)) == []
    assert workshop.order_ids() == [1, 2, 3]


def test_dead_letters_in_the_source_are_no_news(workshop: Workshop) -> None:
    inside = {"dead_letter": {"uri": f"s3://{workshop.bucket}/orders/dead/"}}
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.put("cut.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.ingest(**inside)
    assert upkeep(workshop, **inside) == ["1 dead letters copied"]
    found = check(workshop, **inside)
    assert (said(found), found.objects, found.fresh_objects) == ([], 2, 0)


def test_an_object_that_no_message_told_of_is_not_laid_to_a_listing(workshop: Workshop) -> None:
    queue = {"discovery": {"mode": "notifications", "queue_url": "http://localhost:1/1/landing"}}
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    workshop.put("late.jsonl", json_lines(orders(10)))
    found = later(workshop, **queue)
    assert said(found) == [("object_unknown", "late.jsonl", Remedy.DISCOVER)]
    assert "no message of the queue has told of it" in found.disagreements[0].cause
    assert "`ingest-assets setup-notifications orders`" in found.disagreements[0].cause
    assert "listing" not in found.disagreements[0].cause
    assert "every tick" not in Remedy.DISCOVER.words
    assert len(mend(workshop, found)) == 1
    assert workshop.statuses()["late.jsonl"] == "DISCOVERED"

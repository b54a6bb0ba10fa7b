"""Files that cannot be ingested: what is said, what is left behind, and that the others go on."""

import json

import dagster as dg
import pytest

from ingest_assets.engine import stager
from ingest_assets.errors import ObjectStoreError
from ingest_assets_tests.end_to_end.sample_orders import (
    csv_file,
    cut_gzip,
    json_lines,
    orders,
    parquet_file,
)
from ingest_assets_tests.end_to_end.workshop import Workshop

GOOD_IDS = [1, 2, 3]


def put_good(workshop: Workshop, key: str = "a.jsonl", first_id: int = 1) -> None:
    workshop.put(key, json_lines(orders(first_id)))


def test_a_gzip_file_that_was_cut_short_is_dead_lettered_alone(workshop: Workshop) -> None:
    put_good(workshop)
    workshop.put("b.jsonl.gz", cut_gzip(orders(100, 400)))
    put_good(workshop, "c.jsonl", 4)
    result = workshop.ingest()
    bad = workshop.files()["b.jsonl.gz"]
    assert (bad.status, bad.error_type, bad.attempts) == ("DEAD_LETTER", "CorruptFileError", 1)
    assert bad.error is not None
    assert "gzip" in bad.error
    assert bad.committed_etag is None
    assert workshop.order_ids() == [*GOOD_IDS, 4, 5, 6]
    assert result.counts == {"DEAD_LETTER": 1, "SUCCESS": 2}
    assert not result.is_all_well
    assert workshop.partitions() == {"a.jsonl", "c.jsonl"}


def test_a_parquet_file_that_was_cut_short_is_dead_lettered_alone(workshop: Workshop) -> None:
    whole = parquet_file(orders(1))
    workshop.put("a.parquet", whole)
    workshop.put("b.parquet", whole[: len(whole) // 2])
    workshop.ingest(format={"type": "parquet"})
    bad = workshop.files()["b.parquet"]
    assert (bad.status, bad.error_type) == ("DEAD_LETTER", "CorruptFileError")
    assert workshop.order_ids() == GOOD_IDS


def test_the_deepest_records_are_in_the_table_and_deeper_files_are_not(workshop: Workshop) -> None:
    for key in ("a.jsonl", "b.jsonl"):
        workshop.put(key, b'{"n":' * 50 + b"1" + b"}" * 50)
        assert workshop.ingest().counts == {"SUCCESS": 1}
    assert len(workshop.rows()) == 2
    workshop.put("c.jsonl", b'{"n":' * 51 + b"1" + b"}" * 51)
    workshop.ingest()
    bad = workshop.files()["c.jsonl"]
    assert (bad.status, bad.error_type) == ("DEAD_LETTER", "RejectedRatioError")
    assert "nested more than 50 levels deep" in (bad.error or "")


def test_a_csv_file_that_is_really_json_is_told_so(workshop: Workshop) -> None:
    workshop.put("a.csv", csv_file(orders(1)))
    workshop.put("b.csv", json.dumps(orders(4), indent=1).encode())
    workshop.put("c.csv", json_lines(orders(7)))
    workshop.ingest(format={"type": "csv"})
    for key in ("b.csv", "c.csv"):
        bad = workshop.files()[key]
        assert (bad.status, bad.error_type) == ("DEAD_LETTER", "WrongFormatError")
        assert "json" in (bad.error or "").lower()
    assert workshop.order_ids() == GOOD_IDS


def test_a_file_larger_than_allowed_is_not_even_fetched(workshop: Workshop) -> None:
    put_good(workshop)
    workshop.put("big.jsonl", json_lines(orders(100, 200)))
    workshop.ingest(source={"uri": f"s3://{workshop.bucket}/orders/", "max_file_bytes": 1000})
    bad = workshop.files()["big.jsonl"]
    assert (bad.status, bad.error_type) == ("DEAD_LETTER", "FileTooLargeError")
    assert "max_file_bytes" in (bad.error or "")
    assert workshop.order_ids() == GOOD_IDS


def test_a_file_with_too_many_rejected_rows_writes_none_of_its_rows(workshop: Workshop) -> None:
    put_good(workshop)
    workshop.put("b.jsonl", json_lines(orders(4)) + b"no json\nnor this\n")
    workshop.ingest()
    bad = workshop.files()["b.jsonl"]
    assert (bad.status, bad.error_type) == ("DEAD_LETTER", "RejectedRatioError")
    assert "2 of the 5 rows" in (bad.error or "")
    assert "line 4" in (bad.error or "")
    assert workshop.order_ids() == GOOD_IDS
    assert workshop.rows("raw.orders__rejected") == []


def test_a_few_rejected_rows_are_kept_with_their_line_and_reason(workshop: Workshop) -> None:
    lines = json_lines(orders(1, 20)).splitlines(keepends=True)
    workshop.put("a.jsonl", b"".join([*lines[:4], b"-- resumed --\n", *lines[4:]]))
    result = workshop.ingest()
    assert result.is_all_well
    [rejected] = workshop.rows("raw.orders__rejected")
    assert (rejected["_source_row"], rejected["raw"]) == (5, "-- resumed --")
    assert rejected["reason"]
    file = workshop.files()["a.jsonl"]
    assert (file.status, file.rows, file.rejected) == ("SUCCESS", 20, 1)


def test_an_empty_file_is_a_success_of_no_rows(workshop: Workshop) -> None:
    put_good(workshop)
    workshop.put("empty.jsonl", b"")
    assert workshop.ingest().is_all_well
    file = workshop.files()["empty.jsonl"]
    assert (file.status, file.rows, file.rejected) == ("SUCCESS", 0, 0)
    assert workshop.partitions() == {"a.jsonl", "empty.jsonl"}


def test_a_source_of_nothing_but_an_empty_file_makes_no_table(workshop: Workshop) -> None:
    workshop.put("empty.jsonl", b"")
    assert workshop.ingest().is_all_well
    assert not workshop.deployment.catalog.table_exists("raw.orders")
    put_good(workshop)
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == GOOD_IDS


def test_a_first_file_without_a_partition_column_does_not_decide_the_layout(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", b'{"other": 1}\n')
    put_good(workshop, "b.jsonl")
    workshop.ingest(table={"identifier": "raw.orders", "partition_by": ["day(ordered_at)"]})
    bad = workshop.files()["a.jsonl"]
    assert (bad.status, bad.error_type) == ("DEAD_LETTER", "TableLayoutError")
    assert "ordered_at" in (bad.error or "")
    assert workshop.statuses()["b.jsonl"] == "SUCCESS"
    assert workshop.order_ids() == GOOD_IDS
    spec = workshop.deployment.catalog.load_table("raw.orders").spec()
    assert [str(field.transform) for field in spec.fields] == ["day"]


def test_a_breaking_schema_is_parked_for_its_causes_alone(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines([*orders(1, 2), *orders(3, 1, note="optional")]))
    workshop.put("b.jsonl", json_lines(orders(4, amount={"value": 4}, extra="new")))
    put_good(workshop, "c.jsonl", 7)
    result = workshop.ingest()
    bad = workshop.files()["b.jsonl"]
    assert (bad.status, bad.error_type) == ("PARKED", "SchemaParkedError")
    assert bad.error == (
        f"s3://{workshop.bucket}/orders/b.jsonl waits for a decision on its schema: column "
        "`amount`: was double, the file has struct<value: long>. Nothing of it was written. "
        "`ingest-assets schema list orders` leads to the decision; if the file is wrong, upload it "
        "mended under its key."
    )
    assert result.waiting == {"PARKED": 1}
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9]


@pytest.mark.parametrize("bad_body", [b"\x00\x01\x02 not json", cut_gzip(orders(100, 400))])
def test_when_new_content_is_bad_the_old_rows_stay(workshop: Workshop, bad_body: bytes) -> None:
    put_good(workshop)
    workshop.ingest()
    old = workshop.files()["a.jsonl"]
    workshop.put("a.jsonl", bad_body)
    workshop.ingest()
    now = workshop.files()["a.jsonl"]
    assert now.status == "DEAD_LETTER"
    assert now.committed_etag == old.etag
    assert now.etag != old.etag
    assert workshop.order_ids() == GOOD_IDS
    assert (now.error or "").count("The rows that it brought earlier stay in the table.") == 1


def test_a_dead_letter_tells_the_way_out_once_wherever_it_is_shown(workshop: Workshop) -> None:
    put_good(workshop)
    workshop.put("b.jsonl.gz", cut_gzip(orders(100, 400)))
    result = workshop.ingest()
    told = "Mend the file and upload it again under its key; or, after a change elsewhere"
    bad = workshop.files()["b.jsonl.gz"]
    assert (bad.error or "").count(told) == 1
    assert "earlier" not in (bad.error or "")
    assert result.files["b.jsonl.gz"].error == bad.error
    run = workshop.materialize("b.jsonl.gz")
    [failure] = [event.step_failure_data for event in run.all_events if event.is_step_failure]
    assert failure.error.message.count(told) == 1
    logs = workshop.instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    checks = [log.dagster_event.asset_check_evaluation_data for log in logs if log.dagster_event]
    assert bad.error in [check.description for check in checks]


def test_a_file_that_failed_for_the_last_time_is_a_dead_letter(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise ObjectStoreError("The store denies access.")

    workshop.put("a.jsonl", json_lines(orders(1)))
    monkeypatch.setattr(stager, "fetch", denied)
    workshop.ingest(retries={"attempts": 2, "backoff_minutes": [0]})
    file = workshop.files()["a.jsonl"]
    assert (file.status, file.attempts) == ("DEAD_LETTER", 2)
    assert "This was attempt 2 of 2" in (file.error or "")


def test_a_mended_file_under_the_same_key_is_ingested(workshop: Workshop) -> None:
    workshop.put("a.jsonl.gz", cut_gzip(orders(1, 400)))
    workshop.ingest()
    assert workshop.statuses() == {"a.jsonl.gz": "DEAD_LETTER"}
    put_good(workshop, "a.jsonl.gz")
    assert workshop.ingest().is_all_well
    assert workshop.order_ids() == GOOD_IDS

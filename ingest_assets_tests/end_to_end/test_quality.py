"""Rules of quality over real services: which rows go into the table, and what is said."""

import json
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from ingest_assets.engine import gathered
from ingest_assets.engine.replay import Choice, plan_replay, replay
from ingest_assets.ledger.states import FileStatus
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.orchestration.table_checks import watch_table
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.workshop import Workshop

Rules = list[dict[str, Any]]


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def order(order_id: int | None, status: str | None = "new", amount: float = 1.0) -> dict[str, Any]:
    return {"order_id": order_id, "status": status, "amount": amount}


def quality(workshop: Workshop, key: str) -> dict[str, dict[str, Any]]:
    """By check, what the newest attempt at the file has in its detail."""
    with workshop.deployment.ledger.transaction() as connection:
        detail = connection.exec_driver_sql(
            "SELECT a.detail->'quality' FROM ingest.attempts a JOIN ingest.files f USING (file_id)"
            " WHERE f.key = %s ORDER BY a.finished_at DESC LIMIT 1",
            (key,),
        ).scalar_one()
    return {result["name"]: result for result in detail["results"]}


def test_a_blocking_rule_keeps_one_file_of_a_batch_out_and_its_earlier_rows_in(
    workshop: Workshop,
) -> None:
    rules: Rules = [{"not_null": ["order_id"], "blocking": True}]
    workshop.put("a.jsonl", lines(order(1), order(2)))
    workshop.put("b.jsonl", lines(order(3)))
    workshop.put("c.jsonl", lines(order(4)))
    assert workshop.ingest(quality=rules).counts == {"SUCCESS": 3}
    workshop.put("a.jsonl", lines(order(1, "paid"), order(None), order(None, "x")))
    workshop.put("b.jsonl", lines(order(3, "paid")))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1, "SUCCESS": 1}
    found = [(row["order_id"], row["status"]) for row in workshop.rows()]
    assert found == [(1, "new"), (2, "new"), (3, "paid"), (4, "new")]
    bad = workshop.files()["a.jsonl"]
    assert bad.error_type == "QualityError"
    assert bad.error is not None
    assert (
        f"s3://{workshop.bucket}/orders/a.jsonl breaks its rules of quality, and nothing of it was "
        "written. not_null_order_id: 2 of 3 rows break it: order_id is not null. Rows 2 and 3 "
        "(order_id=None). The rows that it brought earlier stay in the table. Mend the file"
    ) in bad.error
    result = quality(workshop, "a.jsonl")["not_null_order_id"]
    assert (result["failed_rows"], result["row_numbers"]) == (2, [2, 3])


def checks_of(workshop: Workshop, partition: str) -> dict[str, tuple[bool, str, dict[str, Any]]]:
    """By check, the newest evaluation of the partition: passed, severity, metadata."""
    found = {}
    for run in reversed(workshop.instance.get_runs()):
        for record in workshop.instance.all_logs(run.run_id):
            event = record.dagster_event
            if event is not None and event.event_type_value == "ASSET_CHECK_EVALUATION":
                check = event.asset_check_evaluation_data
                if check.partition == partition:
                    metadata = {name: value.value for name, value in check.metadata.items()}
                    found[check.check_name] = (check.passed, check.severity.value, metadata)
    return found


def test_every_rule_about_a_file_is_a_check_of_its_partition_with_numbers(
    workshop: Workshop,
) -> None:
    rules: Rules = [
        {"not_null": ["order_id"]},
        {"unique": ["order_id"], "severity": "error"},
        {"accepted": {"column": "status", "values": ["new", "paid"]}},
        {"range": {"column": "amount", "min": 0, "max": 10}},
        {"pattern": {"column": "status", "regex": "[a-z]+"}},
        {"sql": "amount < 5 OR status = 'paid'", "name": "dear_is_paid"},
        {"row_count": {"min": 2}},
        {"row_count_change": {"max_ratio": 0.5}},
        {"null_ratio": {"column": "status", "max": 0.2}},
        {"not_null": ["nowhere"]},
    ]
    good = [order(1), order(2, "paid", 7.5), order(3)]
    workshop.put("a.jsonl", lines(*good))
    workshop.ingest(quality=rules)
    bad = [order(None), order(4, "NEW", -1), order(4, None), order(5, "new", 9), order(6), order(7)]
    workshop.put("b.jsonl", lines(*bad))
    assert workshop.ingest(quality=rules).counts == {"SUCCESS": 1}
    assert len(workshop.rows()) == 9
    passed = checks_of(workshop, "a.jsonl")
    assert {name for name, (is_passed, _, _) in passed.items() if not is_passed} == {
        "not_null_nowhere"
    }
    assert passed["not_null_nowhere"][2] == {}
    assert passed["null_ratio_status"][2] == {"rows": 3, "null_ratio": 0.0}
    assert passed["unique_order_id"][2] == {"rows": 3, "failed_rows": 0, "failed_ratio": 0.0}
    failed = checks_of(workshop, "b.jsonl")
    assert {name for name, (is_passed, _, _) in failed.items() if is_passed} == {
        "schema_compatible",
        "rows_parsed",
        "row_count",
        "null_ratio_status",
    }
    assert failed["unique_order_id"][1] == "ERROR"
    assert failed["accepted_status"][:2] == (False, "WARN")
    assert failed["accepted_status"][2] == {
        "rows": 6,
        "failed_rows": 1,
        "failed_ratio": round(1 / 6, 6),
        "first_failing_rows": "2",
        "samples": "status=NEW",
    }
    assert failed["row_count_change"][2]["change_ratio"] == 1.0
    assert failed["dear_is_paid"][2]["first_failing_rows"] == "4"


def test_rows_that_a_rule_rejects_are_kept_with_the_reason_until_the_file_is_mended(
    workshop: Workshop,
) -> None:
    rules: Rules = [
        {"accepted": {"column": "status", "values": ["new"]}, "on_fail": "reject_rows"},
        {"unique": ["order_id"], "on_fail": "reject_rows"},
    ]
    workshop.put("a.jsonl", lines(order(1), order(2, "lost"), order(1), order(3)) + b"{cut\n")
    lenient = {"quality": rules, "max_rejected_ratio": 0.6}
    assert workshop.ingest(**lenient).counts == {"SUCCESS": 1}
    assert workshop.order_ids() == [1, 3]
    rejected = workshop.rows("raw.orders__rejected")
    assert [row["_source_row"] for row in rejected] == [2, 3, 5]
    assert rejected[0]["reason"] == "breaks accepted_status: status is new"
    assert json.loads(rejected[0]["raw"]) == order(2, "lost")
    assert rejected[1]["reason"].startswith("breaks unique_order_id: no earlier row of the file")
    checks = checks_of(workshop, "a.jsonl")
    assert not checks["rows_parsed"][0]
    assert checks["unique_order_id"][2]["failed_rows"] == 1
    workshop.put("a.jsonl", lines(order(1), order(2), order(3)))
    assert workshop.ingest(**lenient).counts == {"SUCCESS": 1}
    assert workshop.order_ids() == [1, 2, 3]
    assert workshop.rows("raw.orders__rejected") == []
    assert checks_of(workshop, "a.jsonl")["rows_parsed"][0]


def test_a_file_of_which_rules_reject_too_much_stays_out(workshop: Workshop) -> None:
    rules: Rules = [{"not_null": ["order_id"], "on_fail": "reject_rows"}]
    workshop.put("a.jsonl", lines(order(1), order(None)))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1}
    bad = workshop.files()["a.jsonl"]
    assert bad.error_type == "RejectedByRulesError"
    assert "1 of the 2 rows of" in (bad.error or "")
    assert "1 of them by rules of quality, more than max_rejected_ratio 0.1" in (bad.error or "")
    checks = checks_of(workshop, "a.jsonl")
    assert checks["rows_parsed"][0]
    assert checks["not_null_order_id"][2]["failed_rows"] == 1


def test_keys_of_the_whole_table_are_unique_and_a_file_may_replace_its_own(
    workshop: Workshop,
) -> None:
    rules: Rules = [
        {"unique": {"columns": ["order_id"], "scope": "table"}, "blocking": True},
    ]
    workshop.put("a.jsonl", lines(order(1), order(2)))
    workshop.put("b.jsonl", lines(order(3), order(2)))
    workshop.put("c.jsonl", lines(order(4), order(5)))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1, "SUCCESS": 2}
    assert workshop.order_ids() == [1, 2, 4, 5]
    result = quality(workshop, "b.jsonl")["unique_in_table_order_id"]
    assert (result["row_numbers"], result["samples"]) == ([2], ["order_id=2"])
    # 2 leaves with the new content of the first file, and so the second may bring it.
    workshop.put("a.jsonl", lines(order(1), order(6)))
    workshop.put("b.jsonl", lines(order(3), order(2)) + b"\n")
    workshop.put("c.jsonl", lines(order(4), order(5), order(5)))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1, "SUCCESS": 2}
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]
    # The other way round it is still there when the file is judged.
    workshop.put("a.jsonl", lines(order(4)))
    workshop.put("c.jsonl", lines(order(8)))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1, "SUCCESS": 1}
    assert workshop.order_ids() == [1, 2, 3, 6, 8]


def test_a_foreign_key_is_looked_for_in_the_other_table(workshop: Workshop) -> None:
    rules: Rules = [
        {
            "foreign_key": {"columns": ["customer"], "references": "raw.customers", "to": ["id"]},
            "on_fail": "reject_rows",
        },
    ]
    row = {"order_id": 1, "customer": 10}
    workshop.put("a.jsonl", lines(row))
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1}
    assert "there is no table raw.customers" in (workshop.files()["a.jsonl"].error or "")
    workshop.put("x.jsonl", lines({"id": 10}, {"id": 11}), "customers")
    workshop.ingest(
        name="customers",
        source={"uri": f"s3://{workshop.bucket}/customers/"},
        table={"identifier": "raw.customers"},
    )
    workshop.put("a.jsonl", lines(row) + b"\n")
    many = [{**row, "order_id": number, "customer": 11} for number in range(10)]
    workshop.put("b.jsonl", lines({**row, "customer": 12}, {**row, "customer": None}, *many))
    assert workshop.ingest(quality=rules).counts == {"SUCCESS": 2}
    assert len(workshop.rows()) == 12
    (rejected,) = workshop.rows("raw.orders__rejected")
    assert json.loads(rejected["raw"]) == {**row, "customer": 12}
    assert rejected["reason"] == "breaks foreign_key_customer: customer is in raw.customers as id"


def test_a_file_that_a_rule_refused_goes_in_when_the_rule_is_changed_and_it_is_replayed(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", lines(order(1, "lost")))
    strict: Rules = [{"accepted": {"column": "status", "values": ["new"]}, "blocking": True}]
    assert workshop.ingest(quality=strict).counts == {"DEAD_LETTER": 1}
    assert workshop.ingest(quality=strict).counts == {}
    mended: Rules = [{"accepted": {"column": "status", "values": ["new", "lost"]}}]
    choice = Choice(statuses=(FileStatus.DEAD_LETTER,))
    plan = plan_replay(workshop.deployment, workshop.ingestion(), choice)
    assert replay(workshop.deployment, plan, "Ada", "the rule was too strict") == 1
    assert workshop.ingest(quality=mended).counts == {"SUCCESS": 1}
    assert workshop.order_ids() == [1]
    assert checks_of(workshop, "a.jsonl")["accepted_status"][0]


def test_the_command_line_says_which_rule_refused_a_file(product: Product) -> None:
    rules: Rules = [
        {"sql": "amount >= 0", "name": "no_debts", "blocking": True},
        {"unique": ["order_id"]},
    ]
    product.declare(quality=rules)
    product.put("a.jsonl", lines(order(1), order(1)))
    product.put("b.jsonl", lines(order(2), order(3, amount=-1)))
    done = product("run", "orders")
    assert done.returncode == 3
    assert "leaked" not in done.stderr, done.stderr
    told = " ".join(done.stdout.split())
    assert "1 DEAD_LETTER, 1 SUCCESS" in told
    assert "no_debts: 1 of 2 rows" in told
    assert "1 file in the table breaks unique_order_id" in told
    bad, good = sorted(product.json("files", "orders"), key=lambda file: str(file["status"]))
    assert good["broken_rules"] == ["unique_order_id"]
    assert bad["broken_rules"] == []
    assert bad["error_type"] == "QualityError"
    assert "no_debts: 1 of 2 rows break it: amount >= 0 holds. Row 2 (amount=-1.0)" in bad["error"]


def test_a_large_file_is_judged_as_a_small_one_while_it_streams_to_data_files_of_its_own(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "IN_MEMORY_BYTES", 1)
    rules: Rules = [
        {"range": {"column": "amount", "min": 0}, "on_fail": "reject_rows"},
        {"unique": ["order_id"], "on_fail": "reject_rows"},
        {"sql": "order_id % 10000 <> 7"},
        {"null_ratio": {"column": "status", "max": 0.5}},
    ]
    rows = [order(number, amount=-1 if number % 9000 == 8 else 1) for number in range(60_000)]
    rows += [order(8), order(9), order(59_999)]  # of 8 the first one is not in the table
    workshop.put("a.jsonl", lines(*rows))
    assert workshop.ingest(quality=rules).counts == {"SUCCESS": 1}
    found = quality(workshop, "a.jsonl")
    assert found["range_amount"]["row_numbers"] == [9 + 9000 * n for n in range(7)]
    assert found["unique_order_id"]["row_numbers"] == [60_002, 60_003]
    assert found["sql_order_id_10000_7"]["failed_rows"] == 6
    assert found["null_ratio_status"]["rows"] == 60_003 - 9
    assert len(workshop.rows()) == 60_003 - 9
    assert len(workshop.rows("raw.orders__rejected")) == 9
    workshop.put("a.jsonl", lines(order(1), *rows[1:]))
    rules[1] = {"unique": ["order_id"], "blocking": True}
    assert workshop.ingest(quality=rules).counts == {"DEAD_LETTER": 1}
    assert len(workshop.rows()) == 60_003 - 9


def table_check(workshop: Workshop, name: str) -> tuple[str, dict[str, Any], int]:
    """The status and the numbers of its newest evaluation, and how many there are."""
    key = dg.AssetCheckKey(dg.AssetKey(["raw", "orders"]), name)
    storage = workshop.instance.event_log_storage
    records = storage.get_asset_check_execution_history(key, limit=100)
    assert records[0].event is not None
    evaluation = records[0].event.dagster_event.event_specific_data  # type: ignore[union-attr]
    numbers = {name: value.value for name, value in evaluation.metadata.items()}
    return records[0].status.value, numbers, len(records)


def test_freshness_and_volume_are_checks_of_the_table_that_upkeep_goes_on_with(
    workshop: Workshop,
) -> None:
    rules: Rules = [
        {"freshness": {"max_age": "2h"}},
        {"volume": {"hours": 1, "min_rows": 2, "max_ratio": 0.5, "last": 3}},
        {"not_null": ["order_id"]},
    ]
    ingestion = workshop.ingestion(quality=rules)

    def upkeep() -> str | None:
        limit = Deadline(timedelta(seconds=10))
        return watch_table(workshop.deployment, ingestion, workshop.instance, limit)

    assert upkeep() == "the checks freshness, volume of the table do not pass"
    workshop.put("a.jsonl", lines(order(1), order(2)))
    workshop.ingest(quality=rules)
    assert table_check(workshop, "freshness")[0] == "SUCCEEDED"
    status, numbers, count = table_check(workshop, "volume")
    assert (status, numbers) == ("SUCCEEDED", {"window_rows": 2, "window_files": 1})
    assert upkeep() is None
    assert table_check(workshop, "volume")[2] == count, "nothing has changed"
    with workshop.deployment.ledger.transaction() as connection:
        for table, column in (("batch_totals", "last_success_at"), ("hourly_volume", "hour")):
            connection.exec_driver_sql(
                f"UPDATE ingest.{table} SET {column} = {column} - interval '3 hours'"
            )
    assert upkeep() == "the checks freshness, volume of the table do not pass"
    status, numbers, _ = table_check(workshop, "freshness")
    assert status == "FAILED"
    assert 3 * 3600 < numbers["age_seconds"] < 3 * 3600 + 600
    status, numbers, _ = table_check(workshop, "volume")
    assert numbers["window_rows"] == 0
    assert numbers["median_rows"] < 2, "of a window without rows and one with them"
    workshop.put("b.jsonl", lines(order(3)))
    workshop.ingest(quality=rules)
    assert table_check(workshop, "freshness")[0] == "SUCCEEDED"
    assert table_check(workshop, "volume")[0] == "FAILED"

"""Rules of quality over real services: what goes into the table, what does not, and what is said."""

import json
from typing import Any

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

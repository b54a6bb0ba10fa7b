"""Files through a transform into their table, by a deployment of the test's own."""

import json
from typing import Any

import pytest

from ingest_assets.ledger import reports
from ingest_assets_tests.end_to_end.workshop import Workshop


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def details(workshop: Workshop) -> dict[str, dict[str, Any]]:
    """What the ledger has of each file's newest attempt."""
    with workshop.deployment.ledger.transaction() as connection:
        rows = connection.exec_driver_sql("""
            SELECT DISTINCT ON (f.key) f.key, a.detail FROM ingest.attempts a
            JOIN ingest.files f USING (file_id) ORDER BY f.key, a.started_at DESC
        """)
        return {row.key: row.detail for row in rows}


SQL = """
    SELECT order_id, customer AS client, price * amount AS total, CAST(placed_at AS date) AS day
    FROM source WHERE amount > 0
"""


def order(number: int, **more: Any) -> dict[str, Any]:
    return {
        "order_id": number,
        "customer": f"c{number}",
        "price": 2.5,
        "amount": number % 3,
        "placed_at": "2026-01-02T03:04:05Z",
        "note": "n",
        **more,
    }


def test_sql_filters_renames_casts_and_derives(workshop: Workshop) -> None:
    workshop.put("a.jsonl", lines(*(order(n) for n in range(10))))
    workshop.put("b.jsonl", lines(*(order(n) for n in range(10, 16))))
    workshop.put("c.jsonl", lines(order(16), {**order(17), "price": "much"}) + b"no JSON\n" * 1)
    workshop.put("d.jsonl", lines(*(order(n * 3) for n in range(6, 9))))
    changes = {"transform": SQL, "max_rejected_ratio": 0.5}
    assert workshop.ingest(**changes).counts == {"SUCCESS": 4}
    rows = workshop.rows()
    assert [row["order_id"] for row in rows] == [n for n in range(18) if n % 3]
    assert {row["_source_row"] for row in rows if row["_source_file"].endswith("a.jsonl")} == {
        2,
        3,
        5,
        6,
        8,
        9,
    }
    assert rows[0]["client"] == "c1"
    assert rows[0]["total"] == 2.5
    assert rows[0]["day"].isoformat() == "2026-01-02"
    assert rows[-1]["total"] is None
    assert rows[-1]["_rescued_data"] == '{"price":"much"}'
    files = workshop.files()
    found = details(workshop)
    for key, detail in found.items():
        file = files[key]
        assert file.rows is not None
        assert file.rejected is not None
        assert detail["records"] == file.rows + file.rejected + detail["filtered"]
        assert detail["unused_fields"] == ["note"]
    assert {key: detail["filtered"] for key, detail in found.items()} == {
        "a.jsonl": 4,
        "b.jsonl": 2,
        "c.jsonl": 0,
        "d.jsonl": 3,
    }

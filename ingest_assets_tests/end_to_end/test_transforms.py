"""Files through a transform into their table, by a deployment of the test's own."""

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

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


def metadata(workshop: Workshop, key: str) -> Mapping[str, Any]:
    """What Dagster shows of the partition."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(["raw", "orders"]), asset_partitions=[key])
    (record,) = workshop.instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    return record.asset_materialization.metadata


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
        assert file.filtered == detail["filtered"]
        shown = metadata(workshop, key)
        assert [shown[name].value for name in ("records", "filtered", "unused_fields")] == [
            detail["records"],
            detail["filtered"],
            ["note"],
        ]
        assert detail["unused_fields"] == ["note"]
    assert {key: detail["filtered"] for key, detail in found.items()} == {
        "a.jsonl": 4,
        "b.jsonl": 2,
        "c.jsonl": 0,
        "d.jsonl": 3,
    }


FUNCTIONS = "ingest_assets_tests.end_to_end.transform_functions"


@pytest.mark.parametrize("function", ["without_small", "streamed"])
def test_a_python_function_makes_arrow_of_arrow(workshop: Workshop, function: str) -> None:
    workshop.put("a.jsonl", lines(*(order(n) for n in range(10))))
    workshop.put("b.jsonl", lines(*(order(n) for n in range(10, 16))) + b"no JSON\n")
    changes = {"transform": f"{FUNCTIONS}:{function}", "max_rejected_ratio": 0.5}
    assert workshop.ingest(**changes).counts == {"SUCCESS": 2}
    rows = workshop.rows()
    assert [row["order_id"] for row in rows] == [n for n in range(16) if n % 3]
    assert [row["total"] for row in rows] == [n % 3 * 2.5 for n in range(16) if n % 3]
    assert [row["_source_row"] for row in rows] == [2, 3, 5, 6, 8, 9, 1, 2, 4, 5]
    found = {key: (d["records"], d["filtered"]) for key, d in details(workshop).items()}
    assert found == {"a.jsonl": (10, 4), "b.jsonl": (7, 2)}


def test_a_file_on_which_the_transform_fails_says_so_and_the_others_go_in(
    workshop: Workshop,
) -> None:
    sql = "select order_id, cast(customer as int) as customer, price + amount as both from source"
    workshop.put("a.jsonl", lines(*(order(n, customer=str(n)) for n in range(4))))
    bad = [order(n, customer=str(n)) for n in range(90)] + [order(90, customer="ninety")]
    workshop.put("b.jsonl", lines(*bad))
    lacking = order(5, customer="5")
    del lacking["amount"]
    workshop.put("c.jsonl", lines(lacking))
    workshop.put("d.jsonl", lines(order(6, customer="6")))
    result = workshop.ingest(transform=sql)
    assert result.counts == {"SUCCESS": 2, "DEAD_LETTER": 2}
    assert workshop.order_ids() == [0, 1, 2, 3, 6]
    files = workshop.files()
    error = files["b.jsonl"].error or ""
    assert "The transform fails on b.jsonl: row 91: Conversion Error" in error
    assert "'ninety'" in error
    assert "Nothing of the file was written" in error
    assert "the file has no amount, which every file had" in (files["c.jsonl"].error or "")


def test_what_a_function_raises_is_the_files_failure_with_its_traceback(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", lines(order(1)))
    workshop.put("b.jsonl", lines(order(13)))
    result = workshop.ingest(transform=f"{FUNCTIONS}:choosy")
    assert result.counts == {"SUCCESS": 1, "DEAD_LETTER": 1}
    error = workshop.files()["b.jsonl"].error or ""
    assert "choosy raised ValueError: 13 is no number for an order" in error
    with workshop.deployment.ledger.transaction() as connection:
        traceback = connection.exec_driver_sql(
            "SELECT traceback FROM ingest.attempts WHERE outcome = 'DEAD_LETTER'"
        ).scalar_one()
    assert "transform_functions.py" in traceback
    assert "raise ValueError" in traceback


def test_rows_that_are_no_rows_of_the_file_are_numbered_and_misfits_are_rejected(
    workshop: Workshop,
) -> None:
    sql = "select customer, sum(amount) as amount, count(*) as orders from source group by customer"
    rows = [order(n, customer=f"c{n % 4}") for n in range(40)]
    rows[7]["amount"] = "many"
    workshop.put("a.jsonl", lines(*rows[:3]))
    workshop.put("b.jsonl", lines(*rows))
    assert workshop.ingest(transform=sql).counts == {"SUCCESS": 2}
    found = workshop.rows()
    assert [row["_source_row"] for row in found] == [1, 2, 3, 1, 2, 3, 4]
    assert sum(row["orders"] for row in found) == 43
    assert [row["raw"] for row in workshop.rows("raw.orders__rejected")] == ['{"amount":"many"}']
    assert details(workshop)["b.jsonl"]["records"] == 40
    assert "filtered" not in details(workshop)["b.jsonl"]


def test_a_field_keeps_its_type_from_batch_to_batch(workshop: Workshop) -> None:
    sql = "select order_id, price * 2 as double_price, upper(coupon) as coupon from source"
    first = [order(n, coupon="a") for n in range(3)]
    del first[0]["coupon"]
    workshop.put("a.jsonl", lines(*first))
    assert workshop.ingest(transform=sql).counts == {"SUCCESS": 1}
    workshop.put("b.jsonl", lines(order(3, price=None, coupon=None)))
    workshop.put("c.jsonl", lines(order(4, price=3)))
    assert workshop.ingest(transform=sql).counts == {"SUCCESS": 2}
    assert [(row["double_price"], row["coupon"]) for row in workshop.rows()] == [
        (5.0, None),
        (5.0, "A"),
        (5.0, "A"),
        (None, None),
        (6.0, None),
    ]
    workshop.put("d.jsonl", lines(order(5, price={"value": 2})))
    workshop.put("e.jsonl", lines(order(6, gift=True)))
    assert workshop.ingest(transform=sql).counts == {"SUCCESS": 1, "DEAD_LETTER": 1}
    assert "gift" in details(workshop)["e.jsonl"]["unused_fields"]
    assert "No function matches" in (workshop.files()["d.jsonl"].error or "")


def test_a_transform_that_does_not_go_with_the_known_fields_reads_nothing(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", lines(order(1)))
    assert workshop.ingest(transform="select * from source").counts == {"SUCCESS": 1}
    workshop.put("b.jsonl", lines(order(2)))
    with pytest.raises(Exception, match="does not go with the fields") as raised:
        workshop.ingest(transform="select order_id, nope + 1 as x from source")
    assert '"nope" not found' in str(raised.value)
    assert "The columns of source are order_id, customer" in str(raised.value)
    assert workshop.statuses() == {"a.jsonl": "SUCCESS", "b.jsonl": "DISCOVERED"}
    assert workshop.files()["b.jsonl"].attempts == 0
    changed = "select *, amount + 1 as more from source"
    assert workshop.ingest(transform=changed).counts == {"SUCCESS": 1}
    assert [row["more"] for row in workshop.rows()] == [None, 3]
    workshop.materialize("a.jsonl", transform=changed)
    assert [row["more"] for row in workshop.rows()] == [2, 3]


def test_a_result_of_another_type_parks_the_file_as_any_change_of_the_schema(
    workshop: Workshop,
) -> None:
    workshop.put("a.jsonl", lines(order(1)))
    assert workshop.ingest(transform="select order_id, amount as n from source").counts
    workshop.put("b.jsonl", lines(order(2)))
    result = workshop.ingest(transform="select order_id, customer as n from source")
    assert result.counts == {"PARKED": 1}
    assert "column `n`: was long, the file has string" in (workshop.files()["b.jsonl"].error or "")
    workshop.put("c.jsonl", lines(order(4)))
    wider = "select order_id, amount as n, amount * 1.5 as m from source"
    assert workshop.ingest(transform=wider).counts == {"SUCCESS": 1}


def test_columns_that_are_declared_decide_how_an_untouched_field_is_read(
    workshop: Workshop,
) -> None:
    columns = [
        {"name": "sku", "type": "string"},
        {"name": "price", "type": "decimal(8,2)"},
        {"name": "half", "type": "double"},
    ]
    changes = {
        "format": {"type": "csv"},
        "schema": {"columns": columns},
        "transform": "select *, price / 2 as half from source where sku <> '2'",
    }
    workshop.put("a.csv", b"sku,price\n1,2.50\n2,3\n1e3,4.25\n7,dear\n")
    assert workshop.ingest(**changes).counts == {"SUCCESS": 1}
    rows = workshop.rows()
    assert [row["sku"] for row in rows] == ["1", "1e3", "7"]
    assert [str(row["price"]) for row in rows] == ["2.50", "4.25", "None"]
    assert [row["half"] for row in rows] == [1.25, 2.125, None]
    assert rows[-1]["_rescued_data"] == '{"price":"dear"}'
    assert [row["_source_row"] for row in rows] == [2, 4, 5]

"""`ingest-assets preview`: each thing that it shows, on good files and on bad ones."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from ingest_assets.engine.preview import listed
from ingest_assets_tests.cli.conftest import Cli, plain
from ingest_assets_tests.end_to_end.sample_orders import (
    csv_file,
    cut_gzip,
    json_lines,
    orders,
    parquet_file,
)
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


def told(cli: Cli, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """What `--json` says."""
    result = cli("preview", *arguments, "--json")
    assert result.exit_code == exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {file["key"]: file["outcome"] for file in found["files"]}


def test_an_address_alone_is_enough(working_cli: Cli, put: Put, bucket: str) -> None:
    put("a.jsonl.gz", gzip.compress(json_lines(orders(1, 30))))
    put("b.jsonl", json_lines(orders(31, 10, amount=None)))
    found = told(working_cli, "--uri", f"s3://{bucket}/orders/")
    assert (found["name"], found["is_declared"], found["rows"]) == ("orders", False, 40)
    assert found["connection"]["refusal"] is None
    assert found["connection"]["credentials"] == "AWS_ACCESS_KEY_ID in the environment"
    assert (found["found"]["count"], found["found"]["is_cut"]) == (2, False)
    assert found["found"]["size_bytes"] == sum(file["size_bytes"] for file in found["files"])
    assert (found["format"]["type"], found["format"]["declared"]) == ("json", None)
    assert found["format"]["compression"] == ["gzip", "none"]
    columns = {column["name"]: column for column in found["columns"]}
    types = {name: column["type"] for name, column in columns.items()}
    assert types == {
        "order_id": "long",
        "customer": "string",
        "amount": "double",
        "ordered_at": "timestamptz",
    }
    assert columns["amount"]["null_ratio"] == 0.25
    assert columns["amount"]["files"] == 1
    assert found["sample_columns"] == list(types)
    assert found["sample_rows"][0][:2] == ["1", "customer 1"]
    assert [(check["name"], check["passed"]) for check in found["checks"]] == [
        ("schema_compatible", True),
        ("rows_parsed", True),
    ]
    assert found["table"]["exists"] is False
    assert found["table"]["ddl"][0].startswith("CREATE TABLE raw.orders (\n  order_id BIGINT,")
    assert "identifier: raw.orders" in found["declaration"]
    assert found["cost"]["amount"] > 0
    assert not found["needs_attention"]


def test_files_that_differ_park_are_rejected_and_rescued(working_cli: Cli, put: Put) -> None:
    put("1.jsonl", json_lines(orders(1, 20)))
    put("2.jsonl", json_lines([{**row, "Coupon Code": "x"} for row in orders(21, 5)]))
    odd = json_lines([*orders(26, 10), {**orders(36, 1)[0], "amount": "dear"}])
    put("3.jsonl", odd + b'{"order_id": 1, \x1b[31m\n')
    put("4.jsonl", json_lines([{"order_id": 40, "amount": {"value": 1}}]))
    put("5.jsonl.gz", cut_gzip(orders(50, 200)))
    put("6.jsonl", b"nothing\n" * 3 + json_lines(orders(300, 1)))
    put("7.jsonl", parquet_file(orders(310, 2)))
    put("8.jsonl", b"")
    found = told(working_cli, "orders", exit_code=3)
    assert outcomes(found) == {
        "1.jsonl": "SUCCESS",
        "2.jsonl": "SUCCESS",
        "3.jsonl": "SUCCESS",
        "4.jsonl": "PARKED",
        "5.jsonl.gz": "DEAD_LETTER",
        "6.jsonl": "DEAD_LETTER",
        "7.jsonl": "DEAD_LETTER",
        "8.jsonl": "SUCCESS",
    }
    errors = {file["key"]: file["error_type"] for file in found["files"] if file["error_type"]}
    assert errors == {
        "4.jsonl": "SchemaParkedError",
        "5.jsonl.gz": "CorruptFileError",
        "6.jsonl": "RejectedRatioError",
        "7.jsonl": "WrongFormatError",
    }
    [difference] = [d for d in found["differences"] if d["column"] == "coupon_code"]
    assert difference["types"][0][0] == "absent"
    assert difference["types"][1] == ["string", ["2.jsonl"]]
    [coupon] = [column for column in found["columns"] if column["name"] == "coupon_code"]
    assert (coupon["source_name"], coupon["files"]) == ("Coupon Code", 1)
    rejected = {(row["key"], row["row"]) for row in found["rejected"]}
    assert rejected == {("3.jsonl", 12), ("6.jsonl", 1), ("6.jsonl", 2), ("6.jsonl", 3)}
    [rescued] = found["rescued"]
    assert (rescued["field"], rescued["count"], rescued["example"]) == ("amount", 1, "dear")
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["schema_compatible"]["failed"] == ["4.jsonl"]
    assert checks["rows_parsed"]["failed"] == ["5.jsonl.gz", "6.jsonl", "7.jsonl"]
    actions = {(change["column"], change["action"]) for change in found["table"]["changes"]}
    assert {("coupon_code", "evolve"), ("amount", "park"), ("customer", "park")} <= actions
    assert (
        "7.jsonl is parquet (its first bytes are those of parquet), and declared is json"
        in found["format"]["contradictions"]
    )
    text = plain(working_cli("preview", "orders"))
    assert "\x1b" not in text
    assert "schema.on_type_change is review" in text


def test_it_says_what_ingestion_then_does(working_cli: Cli, put: Put) -> None:
    put("1.jsonl", json_lines(orders(1, 20)))
    put("2.jsonl", json_lines(orders(21, 5, channel="web")))
    put("3.jsonl", json_lines([{"order_id": 40, "amount": {"value": 1}}]))
    put("4.jsonl.gz", cut_gzip(orders(50, 200)))
    before = told(working_cli, "orders", exit_code=3)
    working_cli("run", "orders")
    files = json.loads(working_cli("files", "orders", "--json").stdout)
    assert {file["key"]: file["status"] for file in files} == outcomes(before)
    assert sum(file["rows"] or 0 for file in files) == before["rows"]
    put("5.jsonl", json_lines(orders(300, 2, amount="many")))
    put("6.jsonl", json_lines(orders(310, 2, region="north")))
    after = told(working_cli, "orders", exit_code=3)
    assert dict(after["ledger_states"]) == {"DEAD_LETTER": 1, "NEW": 2, "PARKED": 1, "SUCCESS": 2}
    known = {file["key"]: file["known_as"] for file in after["files"]}
    assert (known["1.jsonl"], known["3.jsonl"], known["5.jsonl"]) == ("SUCCESS", "PARKED", None)
    assert outcomes(after)["5.jsonl"] == "PARKED"
    assert (after["table"]["exists"], after["table"]["rows"]) == (True, 25)
    assert after["table"]["ddl"] == ["ALTER TABLE raw.orders ADD COLUMN region STRING"]
    [region] = [column for column in after["columns"] if column["name"] == "region"]
    assert region["table_type"] is None
    [order_id] = [column for column in after["columns"] if column["name"] == "order_id"]
    assert order_id["table_type"] == "long"


def test_the_declared_rules_decide(working_cli: Cli, put: Put, defs: Path, bucket: str) -> None:
    put("1.jsonl", json_lines(orders(1, 20)))
    put("2.jsonl", json_lines([{**row, "extra": 1} for row in orders(21, 5)]))
    declare(
        defs,
        attributes(
            bucket,
            schema={
                "columns": [
                    {"name": "order_id", "type": "int", "required": True},
                    {"name": "shop", "type": "string", "required": True},
                ],
                "on_new_column": "rescue",
            },
            table={"partition_by": ["bucket(4, order_id)"]},
        ),
    )
    found = told(working_cli, "orders", exit_code=3)
    assert outcomes(found) == {"1.jsonl": "PARKED", "2.jsonl": "PARKED"}
    assert "column `shop`: required" in found["files"][0]["error"]
    [statement] = found["table"]["ddl"] or [""]
    assert statement == "" or "PARTITIONED BY (bucket(4, order_id))" in statement
    declare(defs, attributes(bucket, table={"partition_by": ["day(never)"]}))
    refused = told(working_cli, "orders", exit_code=3)
    assert "names the column never" in refused["files"][0]["error"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("--uri", "s3://no-such-bucket-here/x/"), 1, "The bucket does not exist"),
        (("--uri", "s3://{bucket}/empty/"), 3, "Nothing is under s3://{bucket}/empty/"),
        (
            ("--uri", "s3://{bucket}/orders/", "--pattern", "*.csv"),
            3,
            "source.pattern '*.csv' matches none of the 1 objects under s3://{bucket}/orders/, "
            "such as 'a.jsonl'. Correct source.pattern.",
        ),
        (("--uri", "s3://{bucket}/pictures/"), 3, "No format that can be read was found"),
    ],
)
def test_what_stands_in_the_way_is_explained(
    working_cli: Cli, put: Put, s3: Any, bucket: str, arguments: Any, exit_code: int, said: str
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    s3.client.put_object(Bucket=bucket, Key="pictures/a.png", Body=b"\x89PNG\r\n\x1a\n\x00\x00")
    given = [argument.format(bucket=bucket) for argument in arguments]
    found = told(working_cli, *given, exit_code=exit_code)
    [problem] = found["problems"]
    assert said.format(bucket=bucket) in problem
    assert (found["connection"]["refusal"] is not None) == (exit_code == 1)
    assert said.format(bucket=bucket)[:20] in working_cli("preview", *given).output


def test_wrong_keys_are_told_as_the_store_tells_them(
    working_cli: Cli, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    found = told(working_cli, "--uri", f"s3://{bucket}/", exit_code=1)
    assert "Check AWS_ACCESS_KEY_ID" in found["connection"]["refusal"]
    assert found["files"] == []


def test_a_wrong_format_a_wrong_option_and_a_table_of_somebody_else(
    working_cli: Cli, put: Put, bucket: str
) -> None:
    put("a.csv", csv_file(orders(1, 5)))
    uri = ("--uri", f"s3://{bucket}/orders/")
    wrong = told(working_cli, *uri, "--format", "json", exit_code=3)
    assert (wrong["format"]["declared"], wrong["format"]["type"]) == ("json", "csv")
    assert outcomes(wrong) == {"a.csv": "DEAD_LETTER"}
    assert "its content is CSV" in wrong["files"][0]["error"]
    unknown = working_cli("preview", *uri, "--format", "csv", "--option", "quotes=no")
    assert "the format csv has no such option" in str(unknown.exception)
    semicolon = told(working_cli, *uri, "--format", "csv", "--option", 'delimiter=";"')
    assert len(semicolon["columns"]) == 1
    put("a.csv", json_lines(orders(1, 5)))
    assert working_cli("run", "orders").exit_code == 0
    other = told(working_cli, *uri, "--table", "raw.orders", exit_code=0)
    assert other["table"]["exists"] is True
    stranger = told(working_cli, "--uri", f"s3://{bucket}/", "--table", "raw.orders", exit_code=3)
    assert "belongs to another declaration" in stranger["problems"][0]
    assert stranger["files"]


def test_a_declaration_that_is_in_no_folder(
    working_cli: Cli, put: Put, bucket: str, tmp_path: Path
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    path = declare(tmp_path, attributes(bucket, "fresh", source={"uri": f"s3://{bucket}/orders/"}))
    found = told(working_cli, "--declaration", str(path))
    assert (found["name"], found["rows"], found["table"]["identifier"]) == ("fresh", 3, "raw.fresh")
    path.write_text(path.read_text().replace("uri", "url"))
    broken = working_cli("preview", "--declaration", str(path))
    assert "url: is not a field here" in str(broken.exception)
    assert working_cli("preview").exit_code == 2
    assert working_cli("preview", "orders", "--uri", "s3://a/").exit_code == 2


def test_of_large_files_the_beginning_is_read_and_it_says_so(
    working_cli: Cli, put: Put, bucket: str
) -> None:
    rows = json_lines(orders(1, 42_000))
    assert len(rows) > 4 * 1024**2
    put("large.jsonl", rows)
    put("large.parquet", parquet_file(orders(1, 10)))
    uri = ("--uri", f"s3://{bucket}/orders/", "--pattern", "*.jsonl", "--files", "16")
    found = told(working_cli, *uri)
    [file] = found["files"]
    assert file["outcome"] == "SUCCESS"
    assert file["read_bytes"] == 2 * 1024**2 < file["size_bytes"]
    assert 15_000 < file["rows"] < 25_000
    assert "only the beginning was read (the first 2.0 MiB as stored of 'large.jsonl')" in str(
        found["notes"]
    )


def test_formats_are_detected_and_partitions_suggested(
    working_cli: Cli, put: Put, bucket: str
) -> None:
    texts = Random(7)
    rows = [
        f"{number};2026-11-{number % 28 + 1:02d}T00:00:00Z;{texts.randbytes(32).hex()}\n"
        for number in range(50_000)
    ]
    put("a.txt", "".join(["id;at;text\n", *rows]).encode())
    found = told(working_cli, "--uri", f"s3://{bucket}/orders/")
    assert found["format"]["type"] == "csv"
    assert ["delimiter", ";"] in found["format"]["detected"]
    assert [column["type"] for column in found["columns"]] == ["long", "timestamptz", "string"]
    [suggestion] = [s for s in found["suggestions"] if s["field"] == "table.partition_by"]
    assert suggestion["value"] == "[year(at)]"
    assert "28 days" in suggestion["reason"]


def test_a_price_table_with_a_missing_price_is_said_and_stops_nothing_else(
    working_cli: Cli, put: Put, defs: Path
) -> None:
    put("a.jsonl", json_lines(orders(1)))
    (defs / "prices.yaml").write_text("currency: EUR\ns3: {put_per_1000: 1}\n")
    found = told(working_cli, "orders")
    assert found["cost"] is None
    assert "prices.yaml: s3.list_per_1000: is required and missing" in found["cost_refusal"]
    refused = working_cli("cost", "orders")
    assert "s3.list_per_1000: is required and missing" in str(refused.exception)
    checked = working_cli("check")
    assert checked.exit_code == 2
    assert "prices.yaml: s3.list_per_1000: is required and missing" in checked.output
    (defs / "prices.yaml").unlink()
    assert working_cli("check").exit_code == 0


def test_a_long_listing_is_cut_and_many_small_files_are_told_of(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any service: no Postgres was ever made under the home."""
    monkeypatch.setattr(listed, "LISTED_AT_MOST", 1000)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1100):
        (folder / f"{number:04}.jsonl").write_bytes(b'{"id": 1}\n')
    found = told(run_cli, "--uri", f"file://{folder}/", "--files", "3")
    assert (found["found"]["count"], found["found"]["is_cut"]) == (1000, True)
    assert [service["was_asked"] for service in found["services"]] == [False, False]
    assert found["table"]["exists"] is False
    assert "3 files were read; 997 more were not." in found["notes"]
    assert [s["value"] for s in found["suggestions"]] == ["fewer, larger files"]
    assert "The listing was cut: there are more files" in str(found["cost"]["assumptions"])
    shown = plain(run_cli("preview", "--uri", f"file://{folder}/"))
    assert "at least 1,000 files of 10.0 kB match '**/*'." in shown
    assert not (tmp_path / "home").exists()


def checks_of(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in found["checks"]}


RULES = [
    {"unique": {"columns": ["order_id"], "scope": "table"}, "on_fail": "reject_rows"},
    {"foreign_key": {"columns": ["customer"], "references": "raw.people", "to": ["name"]}},
    {"row_count_change": {"max_ratio": 0.5}},
    {"not_null": ["amount"], "blocking": True},
    {"range": {"column": "nowhere", "min": 1}},
    {"freshness": {"max_age": "2h"}},
]
UNIQUE, KEY, CHANGE = "unique_in_table_order_id", "foreign_key_customer", "row_count_change"


def test_rules_are_put_to_the_files_beside_the_tables_and_the_ledger(
    working_cli: Cli, put: Put, s3: Any, bucket: str, defs: Path
) -> None:
    """Then a run finds what the preview said. Files that are there are no doubles of themselves."""
    people = [{"name": row["customer"]} for row in orders(1, 6)]
    s3.client.put_object(Bucket=bucket, Key="people/1.jsonl", Body=json_lines(people))
    declare(defs, attributes(bucket, "people"))
    assert working_cli("run", "people").exit_code == 0
    declare(defs, attributes(bucket, quality=RULES, max_rejected_ratio=0.5))
    put("1.jsonl", json_lines(orders(1, 4)))
    assert working_cli("run", "orders").exit_code == 0
    again = checks_of(told(working_cli, "orders"))
    assert [again[name]["passed"] for name in (UNIQUE, KEY, CHANGE)] == [True, True, True]
    assert again["freshness"]["is_evaluated"] is False
    assert "after each batch" in again["freshness"]["said"]
    put("2.jsonl", json_lines(orders(4, 4)))
    put("3.jsonl", json_lines(orders(7, 9)))
    put("4.jsonl", json_lines(orders(30, 2, amount=None)))
    put("5.jsonl", json_lines(orders(1, 4)))
    found = told(working_cli, "orders", exit_code=3)
    ends = {"1.jsonl": "SUCCESS", "2.jsonl": "SUCCESS", "3.jsonl": "SUCCESS"}
    assert outcomes(found) == {**ends, "4.jsonl": "DEAD_LETTER", "5.jsonl": "DEAD_LETTER"}
    checks = checks_of(found)
    assert checks[UNIQUE]["failed"] == ["2.jsonl", "3.jsonl", "5.jsonl"]
    assert (checks[UNIQUE]["failed_rows"], checks[UNIQUE]["on_fail"]) == (6, "reject_rows")
    assert checks[UNIQUE]["said"].startswith(
        "6 of the 17 rows of 3 files break it: no other row of the table has the same order_id; "
        "such rows are rejected. In 2.jsonl, row 1 (order_id=4)"
    )
    assert (checks[KEY]["failed"], checks[KEY]["failed_rows"]) == (["2.jsonl", "3.jsonl"], 3)
    assert checks[CHANGE]["failed"] == ["3.jsonl", "5.jsonl"]
    assert "There are 8, and the median is 4" in checks[CHANGE]["said"]
    assert (checks["not_null_amount"]["failed"], checks["not_null_amount"]["is_blocking"]) == (
        ["4.jsonl"],
        True,
    )
    assert "could not be evaluated: there is no column nowhere" in checks["range_nowhere"]["said"]
    rejected = {(row["key"], row["row"]) for row in found["rejected"]}
    assert {("2.jsonl", 1), ("3.jsonl", 1), ("5.jsonl", 1), ("5.jsonl", 4)} <= rejected
    shown = plain(working_cli("preview", "orders"))
    assert "6 of the 17 rows of 3 files break it" in shown
    working_cli("run", "orders")
    files = json.loads(working_cli("files", "orders", "--json").stdout)
    assert {file["key"]: file["status"] for file in files} == outcomes(found)


def test_without_services_the_rules_about_rows_are_evaluated_and_the_others_said(
    run_cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "1.jsonl").write_bytes(json_lines([*orders(1, 3, amount=None), *orders(4, 1)]))
    (folder / "2.jsonl").write_bytes(json_lines(orders(4, 3)))
    source = {"uri": f"file://{folder}/"}
    path = declare(tmp_path / "apart", attributes("none", source=source, quality=RULES))
    found = told(run_cli, "--declaration", str(path), exit_code=3)
    checks = checks_of(found)
    assert checks["not_null_amount"]["failed_rows"] == 3
    assert (checks[UNIQUE]["is_evaluated"], checks[UNIQUE]["passed"]) == (True, True)
    for name in (KEY, CHANGE, "freshness"):
        assert (checks[name]["is_evaluated"], checks[name]["passed"]) == (False, False)
    assert "compares with raw.people: of the catalog, it comes with" in checks[KEY]["said"]
    assert not (tmp_path / "home").exists()


def test_a_transform_is_put_to_the_fields_of_earlier_files_and_what_it_leaves_out_is_shown(
    working_cli: Cli, put: Put, bucket: str, defs: Path
) -> None:
    text = "select order_id, amount * 2 as total from source where amount > 1.5"
    declare(defs, attributes(bucket, transform=text))
    put("1.jsonl", json_lines([{**orders(1, 1)[0], "amount": amount} for amount in (1, 2, 3)]))
    assert working_cli("run", "orders").exit_code == 0
    put("2.jsonl", json_lines([{"order_id": 9, "amount": None}, {"order_id": 10, "amount": 4.5}]))
    found = told(working_cli, "orders")
    first, second = (
        next(f for f in found["files"] if f["key"] == k) for k in ("1.jsonl", "2.jsonl")
    )
    assert (first["rows"], first["filtered"], first["records"]) == (2, 1, 3)
    assert first["unused_fields"] == ["customer", "ordered_at"]
    assert (second["rows"], second["filtered"]) == (1, 1)
    assert [column["name"] for column in found["columns"]] == ["order_id", "total"]
    assert "has nothing of: customer, ordered_at" in plain(working_cli("preview", "orders"))
    declare(defs, attributes(bucket, transform="select order_id, price * 2 as total from source"))
    refused = told(working_cli, "orders", exit_code=3)
    [problem] = refused["problems"]
    assert "does not go with the fields that its files have had" in problem
    assert "price" in problem


def test_merge_and_overwrite_say_what_becomes_of_the_rows_that_are_there(
    working_cli: Cli, put: Put, bucket: str, defs: Path
) -> None:
    merge = {"write_mode": "merge", "primary_key": ["order_id"], "order_by": "ordered_at"}
    declare(defs, attributes(bucket, table=merge, max_rejected_ratio=0.5))
    put("1.jsonl", json_lines(orders(1, 3)))
    assert working_cli("run", "orders").exit_code == 0
    put("2.jsonl", json_lines([*orders(3, 2), {**orders(9, 1)[0], "order_id": None}]))
    put("3.jsonl", b'{"customer": "x"}\n')
    found = told(working_cli, "orders", exit_code=3)
    assert outcomes(found)["3.jsonl"] == "DEAD_LETTER"
    assert found["table"]["write_mode"] == "merge"
    assert found["table"]["coming"] == [
        "write_mode is merge: of all rows with one order_id one stays, the greatest ordered_at, "
        "then the row of the file that arrived last.",
        "A row with null in order_id is rejected.",
        "Of the 3 rows that are there, those whose order_id is in these files are replaced where "
        "the row that comes is the newer one; all others stay.",
    ]
    [rejected] = found["rejected"]
    assert (rejected["key"], rejected["row"]) == ("2.jsonl", 3)
    assert "order_id" in rejected["reason"]
    assert "would be merged" in plain(working_cli("preview", "orders"))

    whole = {"identifier": "raw.stock", "write_mode": "overwrite"}
    late = {"uri": f"s3://{bucket}/orders/", "pattern": "2*"}
    declare(defs, attributes(bucket, "stock", source=late, table=whole, max_rejected_ratio=0.5))
    assert working_cli("run", "stock").exit_code == 0
    declare(defs, attributes(bucket, "stock", source={**late, "pattern": "[12]*"}, table=whole))
    found = told(working_cli, "stock", exit_code=3)
    assert outcomes(found) == {"1.jsonl": "DEAD_LETTER", "2.jsonl": "SUCCESS"}
    assert found["files"][0]["error_type"] == "OvertakenError"
    assert found["table"]["coming"] == [
        "write_mode is overwrite: the table will have the rows of the newest file and no others; "
        "of those that were read that is 2.jsonl.",
        "The 3 rows that are there leave, but for those of that file.",
    ]


def test_what_batches_used_counts_for_the_estimate_where_there_were_some(
    working_cli: Cli, put: Put, fresh_database: str
) -> None:
    put("1.jsonl", json_lines(orders(1, 50)))
    new = told(working_cli, "orders")
    assert working_cli("run", "orders").exit_code == 0
    engine = create_engine(fresh_database)
    with engine.begin() as connection:  # as on a machine that is a hundred times slower
        connection.execute(text("UPDATE ingest.usage SET cpu_seconds = 260 WHERE batch_id <> ''"))
    engine.dispose()
    known = told(working_cli, "orders")
    before, after = (
        next(line for line in found["cost"]["lines"] if line["name"] == "compute")
        for found in (new, known)
    )
    assert "batches" not in before["how"]
    assert after["how"].endswith("as the last batch used")
    assert after["quantity"] == pytest.approx(30 * 260 / 3600, rel=0.01)
    assert before["quantity"] == pytest.approx(30 * 2.6 / 3600, rel=0.2)
    assert known["measured"]["start_cpu_seconds"] == 2.6

"""A changed declaration beside everything else that goes on: batches, crashes, tables of others."""

import json

import pyarrow as pa
import pytest

from ingest_assets.engine.declared_columns import apply_declaration
from ingest_assets.errors import ColumnNameError, LedgerError
from ingest_assets.ledger import batches, leases, schema_versions
from ingest_assets.ledger.source_address import SourceAddressError
from ingest_assets.orchestration.tick import run_tick
from ingest_assets_tests.conftest import S3Server
from ingest_assets_tests.end_to_end.product import Product
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

ID = {"name": "order_id", "type": "long", "required": True, "description": "The shop's number."}
NOTE = {"name": "note", "type": "string", "required": True}


def names(workshop: Workshop) -> list[str]:
    found = workshop.deployment.catalog.load_table("raw.orders").schema().column_names
    return [name for name in found if not name.startswith("_")]


def statuses(workshop: Workshop) -> list[str]:
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql(
            "SELECT status FROM ingest.schema_versions ORDER BY version"
        )
        return list(found.scalars())


def active(workshop: Workshop) -> dict[str, bool]:
    """The columns of the active version, and whether they are required."""
    with workshop.deployment.ledger.transaction() as connection:
        version = schema_versions.active(connection, "orders")
    assert version is not None
    return {field["name"]: field.get("is_required", False) for field in version.fields}


def test_a_batch_that_makes_a_version_goes_first(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    workshop.ingest()
    changed = workshop.ingestion(schema={"columns": [ID, NOTE]})
    changes = json.dumps([{"status": "ACTIVE"}])
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE ingest.batches SET status = 'PREPARED', schema_changes = %s", (changes,)
        )
    assert apply_declaration(workshop.deployment, changed) is None
    assert "note" not in names(workshop)
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.batches SET status = 'COMMITTED'")
    assert apply_declaration(workshop.deployment, changed) is None
    assert "note" in names(workshop)


def test_a_crash_between_table_and_ledger_is_made_good_by_the_next_pass(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a", json_lines(orders(1)))
    workshop.ingest()

    def fails(*_: object) -> None:
        raise LedgerError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(schema_versions, "apply", fails)
        with pytest.raises(LedgerError):
            workshop.ingest(schema={"columns": [ID, NOTE]})
    assert "note" in names(workshop)
    assert "note" not in active(workshop)
    assert workshop.ingest(schema={"columns": [ID, NOTE]}).refused is None
    assert active(workshop)["note"] is True
    assert statuses(workshop).count("ACTIVE") == 1
    assert (
        apply_declaration(workshop.deployment, workshop.ingestion(schema={"columns": [ID, NOTE]}))
        is None
    )


def test_an_adopted_table_gets_declared_columns_and_keeps_its_comments(workshop: Workshop) -> None:
    catalog = workshop.deployment.catalog
    catalog.create_namespace("raw")
    table = catalog.create_table(
        "raw.orders", schema=pa.schema([("order_id", pa.int64()), ("customer", pa.string())])
    )
    with table.update_schema() as update:
        update.update_column("customer", doc="Theirs.")
    workshop.put("a", json_lines(orders(1, note="x")))
    customer = {"name": "customer", "type": "string"}
    result = workshop.ingest(schema={"columns": [ID, customer, NOTE]})
    assert (result.counts, result.refused) == ({"SUCCESS": 1}, None)
    found = {f.name: f.doc for f in catalog.load_table("raw.orders").schema().fields}
    assert (found["order_id"], found["customer"]) == ("The shop's number.", "Theirs.")
    assert statuses(workshop) == ["DEPRECATED", "DEPRECATED", "ACTIVE"]
    assert [active(workshop)[name] for name in ("order_id", "customer", "note")] == [
        True,
        False,
        True,
    ]


def test_a_column_that_is_there_in_another_case_stops_the_pass_with_its_name(
    workshop: Workshop,
) -> None:
    catalog = workshop.deployment.catalog
    catalog.create_namespace("raw")
    catalog.create_table("raw.orders", schema=pa.schema([("Note", pa.string())]))
    with pytest.raises(ColumnNameError, match="note cannot be added beside Note"):
        workshop.ingest(schema={"columns": [NOTE]})


def test_the_tick_says_in_its_line_what_is_not_applied(workshop: Workshop) -> None:
    workshop.put("a", json_lines(orders(1)))
    workshop.ingest(schema={"columns": [ID]})
    narrower = workshop.ingestion(schema={"columns": [{**ID, "type": "int"}]})
    for _ in range(2):
        tick = run_tick(workshop.deployment, narrower, workshop.instance, "sensor")
        assert "schema.columns are not applied: column `order_id`: was long" in tick.summary()
        assert "\n" not in tick.summary()


@pytest.mark.slow
def test_the_command_line_says_what_is_not_applied(product: Product) -> None:
    product.declare(schema={"columns": [ID]})
    product.put("a.jsonl", json_lines(orders(1)))
    assert product("run", "orders").returncode == 0
    product.declare(schema={"columns": [{**ID, "type": "int"}]})
    done = product("run", "orders")
    assert done.returncode == 0
    assert "schema.columns are not applied: column `order_id`: was long" in done.stdout
    assert "not applied" in product.json("run", "orders")["schema"]
    product.declare(schema={"columns": [{**ID, "type": "integer"}]})
    done = product("check")
    assert done.returncode == 2
    assert "attributes.schema.columns.0.type: 'integer': 'integer' is no type" in done.stderr


@pytest.mark.parametrize("other", ["", "orders/2026/"])
def test_a_prefix_under_which_known_files_have_other_keys_is_refused(
    workshop: Workshop, other: str
) -> None:
    workshop.put("2026/a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    with pytest.raises(SourceAddressError, match=r"'2026/a\.jsonl', would be read a second time"):
        workshop.ingest(source={"uri": f"s3://{workshop.bucket}/{other}"})
    assert workshop.order_ids() == [1, 2, 3]
    workshop.put("2026/b.jsonl", json_lines(orders(4)))
    workshop.ingest()
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]


def test_a_prefix_is_refused_while_a_batch_reads_files_under_it(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    tick = run_tick(workshop.deployment, workshop.ingestion(), workshop.instance, "sensor")
    with workshop.deployment.ledger.transaction() as connection:
        holder = leases.Holder.this_process()
        batches.claim(connection, tick.planned[0].batch_id, holder, run_id=None)
    with pytest.raises(SourceAddressError):
        workshop.ingest(source={"uri": f"s3://{workshop.bucket}/"})


def test_a_prefix_of_files_that_are_not_in_the_table_is_taken(workshop: Workshop) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    run_tick(workshop.deployment, workshop.ingestion(), workshop.instance, "sensor")
    wider = {"uri": f"s3://{workshop.bucket}/"}
    for _ in range(3):
        workshop.ingest(source=wider)
    assert workshop.order_ids() == [1, 2, 3]


def test_in_another_bucket_files_go_by_their_keys(workshop: Workshop, s3: S3Server) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    workshop.ingest()
    for key, first_id in (("a.jsonl", 1), ("b.jsonl", 4)):
        s3.put(workshop.bucket, f"moved/{key}", json_lines(orders(first_id)))
    workshop.ingest(source={"uri": f"s3://{workshop.bucket}/moved/"})
    assert workshop.order_ids() == [1, 2, 3, 4, 5, 6]

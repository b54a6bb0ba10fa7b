"""The ledger as a whole: its migrations, who owns a table, and what an outage looks like."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from ingest_assets.errors import LedgerError, TableOwnershipError
from ingest_assets.ledger import tables
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets_tests.ledger.bookkeeping import Bookkeeping, source_file

_MIGRATE = """
import sys
from ingest_assets.ledger.ledger import Ledger
ledger = Ledger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
ledger.migrate()
print(ledger.ledger_id())
"""


@pytest.fixture
def empty(empty_database: str) -> Iterator[Ledger]:
    """A ledger in an empty database, not migrated."""
    ledger = Ledger(empty_database)
    yield ledger
    ledger.dispose()


@pytest.fixture
def connection(empty: Ledger) -> Iterator[Connection]:
    empty.migrate()
    with empty.transaction() as connection:
        yield connection


def test_an_empty_database_becomes_a_ledger_and_stays_the_same_one(empty: Ledger) -> None:
    empty.migrate()
    ledger_id = empty.ledger_id()
    assert len(ledger_id) == 32
    empty.migrate()
    assert empty.ledger_id() == ledger_id


def test_processes_that_migrate_at_once_make_one_ledger(empty_database: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _MIGRATE, empty_database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ids = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(set(ids)) == 1


def _only_ours(name: str | None, type_: str, _: object) -> bool:
    return type_ != "schema" or name == tables.SCHEMA


def test_the_migrated_database_is_what_the_tables_say(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": _only_ours,
            "version_table_schema": tables.SCHEMA,
            "compare_type": True,
            "compare_server_default": True,
        },
    )
    assert compare_metadata(context, tables.metadata) == []


def test_indexes_checks_and_collations_are_what_the_tables_say(connection: Connection) -> None:
    """Alembic compares neither what a partial index covers, nor checks, nor collations."""
    schema = connection.dialect.identifier_preparer.quote("by_the_models")
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    tables.metadata.create_all(
        connection.execution_options(schema_translate_map={tables.SCHEMA: "by_the_models"})
    )
    described = {}
    for name in (tables.SCHEMA, "by_the_models"):
        found = connection.execute(
            text("""
                SELECT pg_get_indexdef(c.oid) FROM pg_class c
                WHERE c.relkind = 'i' AND c.relnamespace = CAST(:name AS regnamespace)
                  AND c.relname NOT LIKE 'alembic%'
                UNION ALL
                SELECT conrelid::regclass::text || pg_get_constraintdef(oid) FROM pg_constraint
                WHERE connamespace = CAST(:name AS regnamespace)
                  AND conrelid::regclass::text NOT LIKE '%alembic%'
                UNION ALL
                SELECT table_name || column_name || collation_name FROM information_schema.columns
                WHERE table_schema = :name AND collation_name IS NOT NULL
                  AND table_name NOT LIKE 'alembic%' AND table_name NOT LIKE 'v\\_%'
            """),
            {"name": name},
        )
        described[name] = sorted(str(row[0]).replace(f"{name}.", "") for row in found)
    assert len(described[tables.SCHEMA]) > 30
    assert described[tables.SCHEMA] == described["by_the_models"]


def test_the_ledger_keeps_to_its_own_schema(connection: Connection) -> None:
    assert inspect(connection).get_table_names(schema="public") == []


def test_a_table_belongs_to_one_ingestion_for_good(empty: Ledger) -> None:
    empty.migrate()
    empty.register("orders", "raw.orders")
    empty.register("orders", "raw.orders")
    with pytest.raises(TableOwnershipError, match="belongs to the ingestion 'orders'"):
        empty.register("others", "raw.orders")
    with pytest.raises(TableOwnershipError, match=r"has written to raw\.orders so far"):
        empty.register("orders", "raw.orders_2")
    empty.register("others", "raw.others")


def test_a_transaction_that_fails_leaves_nothing(orders: Bookkeeping) -> None:
    def half() -> None:
        with orders.ledger.transaction() as connection:
            connection.execute(
                text("INSERT INTO ingest.audit (actor, action) VALUES ('somebody', 'half')")
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert orders.ask("SELECT 1 FROM ingest.audit WHERE action = 'half'") == []


def test_a_ledger_never_shows_its_password() -> None:
    ledger = Ledger("postgresql://ada:s3cret@db.example/ledger?sslpassword=s3cret")
    assert "db.example" in repr(ledger)
    assert "s3cret" not in repr(ledger)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda url: "postgresql://ada:s3cret@127.0.0.1:9/ledger", "Connection refused"),
        (lambda url: url.replace("/postgres?", "/no_such_database?"), "does not exist"),
        (lambda url: url.replace("postgres@", "nobody:s3cret@"), "nobody"),
        (lambda url: "postgresql://ada:s3cret@no-such-host.invalid/ledger", "no-such-host"),
    ],
)
def test_a_postgres_that_cannot_be_used_is_named_with_what_to_check(
    postgres_url: str, change: object, cause: str
) -> None:
    ledger = Ledger(change(postgres_url))  # type: ignore[operator]
    with pytest.raises(LedgerError, match=cause) as caught:
        ledger.migrate()
    assert "INGEST_POSTGRES_URL" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.is_retryable


def test_a_ledger_that_may_not_write_says_so(postgres_url: str, empty_database: str) -> None:
    engine = create_engine(empty_database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP ROLE IF EXISTS reader"))
        connection.execute(text("CREATE ROLE reader LOGIN"))
    engine.dispose()
    ledger = Ledger(empty_database.replace("postgres@", "reader@"))
    with pytest.raises(LedgerError, match="permission denied for database"):
        ledger.migrate()
    ledger.dispose()


def test_a_ledger_of_a_newer_release_is_refused_in_words(empty: Ledger) -> None:
    empty.migrate()
    with empty.transaction() as connection:
        connection.execute(text("UPDATE ingest.alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="newer release"):
        empty.migrate()


def test_an_outage_is_explained_and_over_when_postgres_is_back(service_folder: Path) -> None:
    folder = service_folder / "outage"
    with EmbeddedPostgres(folder) as server:
        ledger = Ledger(server.url.replace("postgres@", "postgres:s3cret@"))
        ledger.migrate()
        ledger.register("orders", "raw.orders")
        orders = Bookkeeping(ledger, "orders")
        orders.see(source_file("a"))
        planned = orders.plan()
        assert planned is not None

        def be_cut_off() -> None:
            with ledger.transaction() as connection:
                connection.execute(text("UPDATE ingest.files SET status = 'SUCCESS'"))
                server.stop()
                connection.execute(text("SELECT 1"))

        with pytest.raises(LedgerError) as in_the_middle:
            be_cut_off()
        with pytest.raises(LedgerError) as afterwards:
            orders.claim(planned.batch_id)
        for caught in (in_the_middle, afterwards):
            assert "Check that the server runs" in str(caught.value)
            assert str(folder.name) in str(caught.value)
            assert "s3cret" not in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
        server.start()
        assert orders.file("a").status == "DISCOVERED"
        claimed = orders.claim(planned.batch_id)
        assert claimed is not None
        assert orders.finish(claimed)
        ledger.dispose()

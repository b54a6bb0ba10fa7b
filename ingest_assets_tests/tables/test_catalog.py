"""Which catalog `lake` is, and what is said when it is not to be had."""

import os
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.errors import CatalogError, ConfigurationError
from ingest_assets.settings import Settings
from ingest_assets.tables import catalog as catalog_module
from ingest_assets.tables.catalog import catalog_properties, load_catalog, table_exists


@pytest.fixture(autouse=True)
def _no_configuration_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("PYICEBERG_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path, fresh_database: str) -> Settings:
    return Settings.from_env(
        {"INGEST_HOME": str(tmp_path / "home"), "INGEST_POSTGRES_URL": fresh_database}
    )


def test_without_configuration_it_is_an_sql_catalog_in_our_postgres(settings: Settings) -> None:
    properties = catalog_properties(settings)
    assert properties["type"] == "sql"
    assert properties["uri"] == settings.postgres_url
    assert properties["warehouse"] == f"file://{settings.home}/warehouse"


def test_a_table_of_the_default_catalog_lies_under_the_home(settings: Settings) -> None:
    catalog = load_catalog(settings)
    catalog.create_namespace("raw")
    rows = pa.table({"order_id": [1, 2]})
    table = catalog.create_table("raw.orders", rows.schema)
    table.append(rows)
    assert load_catalog(settings).load_table("raw.orders").scan().to_arrow().num_rows == 2
    assert list((settings.home / "warehouse").rglob("*.parquet"))


def test_the_same_properties_give_the_same_object(settings: Settings) -> None:
    assert load_catalog(settings) is load_catalog(settings)


def test_an_empty_database_can_be_found_by_several_at_once(settings: Settings) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def load(application: int) -> None:
        barrier.wait()
        try:
            url = f"{settings.postgres_url}&application_name=a{application}"
            load_catalog(Settings.from_env({"INGEST_POSTGRES_URL": url}))
        except CatalogError as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_environment_of_pyiceberg_decides(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", "https://catalog.example.com")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__CREDENTIAL", "id:secret")
    assert catalog_properties(settings) == {
        "uri": "https://catalog.example.com",
        "credential": "id:secret",
    }


def test_the_file_of_pyiceberg_decides_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / ".pyiceberg.yaml").write_text("catalog:\n  lake:\n    type: glue\n")
    assert catalog_properties(settings) == {"type": "glue"}


def test_another_catalog_of_the_environment_is_not_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__OTHER__URI", "https://catalog.example.com")
    assert catalog_properties(settings)["type"] == "sql"


def test_a_warehouse_alone_keeps_the_catalog_in_our_postgres(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__WAREHOUSE", "s3://lake/tables")
    properties = catalog_properties(settings)
    assert (properties["type"], properties["warehouse"]) == ("sql", "s3://lake/tables")


@pytest.mark.parametrize("uri", ["ftp://u:hunter2@h/d", "sql"])
def test_properties_that_make_no_catalog_are_a_configuration_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", uri)
    with pytest.raises(ConfigurationError, match="PYICEBERG_CATALOG__LAKE__") as refused:
        load_catalog(settings)
    assert "hunter2" not in str(refused.value)


def test_a_database_that_is_down_is_a_catalog_error_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://u:hunter2@127.0.0.1:1/d"
    with pytest.raises(CatalogError, match="cannot be reached") as failed:
        load_catalog(Settings.from_env({"INGEST_POSTGRES_URL": url}))
    assert "hunter2" not in str(failed.value)


def test_a_rest_catalog_that_is_down_is_a_catalog_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", "http://127.0.0.1:1")
    with pytest.raises(CatalogError, match="cannot be reached"):
        load_catalog(settings)


def test_the_connections_of_the_sql_catalog_notice_a_server_that_vanished(
    tmp_path: Path, fresh_database: str
) -> None:
    home = tmp_path / "home"
    catalog: Any = load_catalog(Settings(home, tmp_path, home / "dagster", fresh_database))
    with catalog.engine.connect() as connection:
        options = connection.connection.driver_connection.info.dsn_parameters
    assert (options["keepalives_idle"], options["tcp_user_timeout"]) == ("30", "60000")
    catalog.engine.dispose()


def test_a_rest_catalog_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answering(BaseHTTPRequestHandler):
        """Tells its configuration and says nothing more."""

        def do_GET(self) -> None:
            if not self.path.startswith("/v1/config"):
                silence.wait(30)
            body = b'{"defaults": {}, "overrides": {}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_arguments: Any) -> None:
            """Nothing is printed."""

    silence = threading.Event()
    monkeypatch.setattr(catalog_module, "_REST_SECONDS", (1, 1))
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__TYPE", "rest")
        monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", address)
        catalog = load_catalog(Settings(tmp_path, tmp_path, tmp_path))
        with pytest.raises(CatalogError, match=r"did not do the work \(.*[Tt]imed out"):
            table_exists(catalog, "raw.orders")
        silence.set()
        server.shutdown()

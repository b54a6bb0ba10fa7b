"""`ingest-assets config`: what the environment comes to, and no secret."""

import json

import pytest

from ingest_assets_tests.cli.conftest import Cli

SECRET_URL = "postgresql://ada:geheim@db.example/lake"


def test_json_has_the_resolved_settings_and_the_catalog(
    run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_POSTGRES_URL", SECRET_URL)
    result = run_cli("config", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found) == {"home", "defs", "dagster_home", "postgres_url", "catalog"}
    assert found["home"].endswith("/home")
    assert found["dagster_home"] == f"{found['home']}/dagster"
    assert found["catalog"]["name"] == "lake"
    assert found["catalog"]["properties"]["type"] == "sql"
    assert found["catalog"]["properties"]["warehouse"] == f"file://{found['home']}/warehouse"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_is_shown(
    run_cli: Cli, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("INGEST_POSTGRES_URL", SECRET_URL)
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__S3__SECRET_ACCESS_KEY", "geheimer")
    result = run_cli("config", *options)
    assert result.exit_code == 0
    assert "geheim" not in result.output
    assert "postgresql+psycopg2://ada:***@db.example/lake" in result.output


def test_text_names_the_same_things(run_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__TYPE", "rest")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", "https://catalog.example")
    monkeypatch.setenv("DAGSTER_HOME", "/srv/dagster")
    result = run_cli("config")
    assert "dagster_home: /srv/dagster\n" in result.stdout
    assert "postgres_url: the embedded server of the home\n" in result.stdout
    assert "  uri: https://catalog.example\n" in result.stdout


def test_a_postgres_url_that_is_none_is_refused(
    run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_POSTGRES_URL", "mysql://ada:geheim@db/lake")
    result = run_cli("config")
    assert "is not a Postgres URL" in str(result.exception)
    assert "geheim" not in str(result.exception)

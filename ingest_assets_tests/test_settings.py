"""What the environment says, and what it means when it says nothing."""

from pathlib import Path

import pytest

from ingest_assets import settings as settings_module
from ingest_assets.errors import ConfigurationError
from ingest_assets.settings import Settings, postgres_url, public_properties, public_url


def test_an_empty_environment_gives_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = Settings.from_env({"INGEST_HOME": "", "INGEST_POSTGRES_URL": ""})
    assert found.home == tmp_path / ".ingest"
    assert found.dagster_home == tmp_path / ".ingest" / "dagster"
    assert found.warehouse == tmp_path / ".ingest" / "warehouse"
    assert found.postgres_folder == tmp_path / ".ingest" / "postgres"
    assert found.defs == Path(settings_module.__file__).parent / "defs"
    assert found.postgres_url is None
    assert found.catalog_name == "lake"


def test_the_environment_decides_and_paths_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = Settings.from_env(
        {"INGEST_HOME": "here", "INGEST_DEFS": "mine", "DAGSTER_HOME": "/srv/dagster"}
    )
    assert (found.home, found.defs) == (tmp_path / "here", tmp_path / "mine")
    assert found.dagster_home == Path("/srv/dagster")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_any_postgres_url_becomes_one_for_psycopg2(scheme: str) -> None:
    found = Settings.from_env({"INGEST_POSTGRES_URL": f"{scheme}://u:p@h:5432/d?sslmode=require"})
    assert postgres_url(found) == "postgresql+psycopg2://u:p@h:5432/d?sslmode=require"


def test_another_kind_of_url_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="not a Postgres URL") as refused:
        Settings.from_env({"INGEST_POSTGRES_URL": "mysql://u:hunter2@h/d"})
    assert "hunter2" not in str(refused.value)


def test_the_password_is_not_in_the_repr() -> None:
    found = Settings.from_env({"INGEST_POSTGRES_URL": "postgresql://u:hunter2@h/d"})
    assert "hunter2" not in repr(found)


def test_without_a_url_the_embedded_server_of_the_home_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "embedded_postgres_url", lambda folder: f"at {folder}")
    monkeypatch.setenv("INGEST_HOME", str(tmp_path))
    monkeypatch.delenv("INGEST_POSTGRES_URL", raising=False)
    assert postgres_url() == f"at {tmp_path / 'postgres'}"


def test_public_properties_keep_the_names_and_hide_the_secrets() -> None:
    shown = public_properties(
        {
            "type": "sql",
            "uri": "postgresql://u:hunter2@h/d",
            "s3.secret-access-key": "hunter2",
            "s3.access-key-id": "hunter2",
            "token": "hunter2",
            "credential": "id:hunter2",
            "header.authorization": "Bearer hunter2",
            "adls.sas-token.account": "hunter2",
            "adls.connection-string": "AccountKey=hunter2",
            "warehouse": "s3://lake/here",
        }
    )
    assert "hunter2" not in str(shown)
    assert (shown["type"], shown["warehouse"]) == ("sql", "s3://lake/here")
    assert shown["uri"] == "postgresql://u:***@h/d"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p:q@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p/q@r@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?password=hunter2&x=1", "postgresql://u@h/d?password=***&x=1"),
        ("https://h/v1?sig=hunter2", "https://h/v1?sig=***"),
        (
            "https://h/k?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2&X-Amz-Date=1",
            "https://h/k?X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("s3://lake/a@b", "s3://lake/a@b"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert public_url(url) == shown

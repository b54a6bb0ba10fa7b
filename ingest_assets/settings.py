"""Where this deployment keeps its things, read from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest_assets.errors import ConfigurationError
from ingest_assets.ledger.server import embedded_postgres_url

CATALOG_NAME = "lake"
SENSORS_ON_VARIABLE = "INGEST_SENSORS_ON"
"""Set to 1 by `ingest-assets demo`: sensors and schedules start switched on."""
UI_URL_VARIABLE = "INGEST_UI_URL"
"""Set by `ingest-assets dev` and `demo`: the address of their UI, for links in alerts."""

_POSTGRES_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+[a-z0-9]+)?://", re.IGNORECASE)
# Greedy up to the last @: a password may hold an unescaped / or @.
_URL_PASSWORD = re.compile(r"(://[^/@:]*):[^\s?]*@")
_QUERY_SECRET = re.compile(
    r"(?i)([?&](?:sig|[^=&\s]*(?:password|token|secret|signature|credential)[^=&\s]*)=)[^&\s]*"
)
_SECRET_WORDS = (
    "password",
    "secret",
    "token",
    "credential",
    "authorization",
    "connection-string",
    "cookie",
    "header",
    "auth",
    "key",
    "pass",
    "sas",
)


@dataclass(frozen=True)
class Settings:
    """What the environment says, with the defaults filled in; paths are absolute."""

    home: Path
    defs: Path
    dagster_home: Path
    postgres_url: str | None = field(default=None, repr=False)
    catalog_name: str = CATALOG_NAME
    ui_url: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """The settings of `env`, by default the process's environment; empty counts as unset.

        Raises:
            ConfigurationError: INGEST_POSTGRES_URL is not a Postgres URL.
        """
        env = os.environ if env is None else env
        home = Path(env.get("INGEST_HOME") or ".ingest").expanduser().absolute()
        defs = Path(env.get("INGEST_DEFS") or Path(__file__).parent / "defs")
        dagster_home = Path(env.get("DAGSTER_HOME") or home / "dagster")
        url = env.get("INGEST_POSTGRES_URL")
        return cls(
            home=home,
            defs=defs.expanduser().absolute(),
            dagster_home=dagster_home.expanduser().absolute(),
            postgres_url=_for_psycopg2(url) if url else None,
            ui_url=env.get(UI_URL_VARIABLE) or None,
        )

    @property
    def postgres_folder(self) -> Path:
        """Where the embedded Postgres lives if `postgres_url` is not set."""
        return self.home / "postgres"

    @property
    def warehouse(self) -> Path:
        """Where the tables lie if the environment names no catalog."""
        return self.home / "warehouse"


def postgres_url(settings: Settings | None = None) -> str:
    """The Postgres of the ledger, the catalog and the Dagster instance, in SQLAlchemy's form.

    Without INGEST_POSTGRES_URL that is the embedded server of the home, which is started or joined
    and runs at least until this process ends. Cheap to call again.

    Raises:
        ConfigurationError: INGEST_POSTGRES_URL is not a Postgres URL.
        LedgerError: the embedded server does not start.
    """
    settings = settings or Settings.from_env()
    return settings.postgres_url or embedded_postgres_url(settings.postgres_folder)


def public_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties without their secrets, for people's eyes: values hidden, keys kept."""
    return {
        name: "***" if _is_secret(name) else public_url(value) for name, value in properties.items()
    }


def public_url(url: str) -> str:
    """The URL with `***` for its password, if it has one."""
    return _QUERY_SECRET.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", str(url)))


def _is_secret(name: str) -> bool:
    normalized = name.lower().replace("_", "-").replace(".", "-")
    return any(word in normalized for word in _SECRET_WORDS)


def _for_psycopg2(url: str) -> str:
    """dagster-postgres needs psycopg2, and SQLAlchemy 2.1 reads `postgresql://` as psycopg 3."""
    if not _POSTGRES_SCHEME.match(url):
        raise ConfigurationError(
            f"INGEST_POSTGRES_URL is {public_url(url)!r}, which is not a Postgres URL. "
            "Write postgresql://user:password@host:5432/database, or unset it to use the "
            "embedded server."
        )
    return _POSTGRES_SCHEME.sub("postgresql+psycopg2://", url)

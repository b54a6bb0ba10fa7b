"""Whether there is a ledger, and of which release, asked without a migration."""

from enum import StrEnum
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from ingest_assets.ledger import tables
from ingest_assets.ledger.ledger import Ledger

_MIGRATIONS = Path(__file__).parent / "migrations"


class Release(StrEnum):
    """`OTHER`: it is an older or a newer release's, whose tables may be other ones."""

    NONE = "none"
    CURRENT = "current"
    OTHER = "other"


def release(ledger: Ledger) -> Release:
    """What the database has of a ledger.

    Raises:
        LedgerError: Postgres is out of reach.
    """
    table = f"{tables.SCHEMA}.alembic_version"
    with ledger.transaction() as connection:
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": table}).scalar() is None:
            return Release.NONE
        found = connection.execute(text(f"SELECT version_num FROM {table}")).scalar()
        known = connection.execute(text("SELECT to_regclass('ingest.deployment')")).scalar()
        is_opened = known and connection.execute(select(tables.deployment)).first()
    if found is None or not is_opened:
        return Release.NONE
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    return Release.CURRENT if found == head else Release.OTHER

"""The Iceberg catalog `lake`: what PyIceberg's configuration names, else one in our Postgres."""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

from pyiceberg import catalog as iceberg_catalog
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import NotInstalledError, RESTError
from pyiceberg.utils.config import Config
from sqlalchemy import Engine, event, inspect
from sqlalchemy.exc import SQLAlchemyError

from ingest_assets.errors import CatalogError, ConfigurationError
from ingest_assets.settings import Settings, postgres_url, public_properties, public_url
from ingest_assets.silence import KEEPALIVES, connection_options
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.counted_io import CLASS_NAME

__all__ = [
    "Catalog",
    "catalog_properties",
    "is_in_our_postgres",
    "is_made",
    "load_catalog",
    "table_exists",
]

TRANSACTION_IDLE = timedelta(seconds=10)
"""A worker frozen between its statement and its commit holds the table's row for so long, and what
it wakes up to was not committed. PyIceberg does nothing in between, which never takes so long."""
STATEMENT_TIME = timedelta(seconds=30)
"""Longer than `TRANSACTION_IDLE`, so that who waits behind such a worker comes through. The catalog
reads and writes single rows."""
_REST_SECONDS = (10, 120)
"""To connect, and for a part of an answer; a commit that takes longer is of unknown outcome."""

_FILE_IO = "py-io-impl"
# Either says which catalog it is; without both the configuration only adds to the default one.
_KINDS = ("type", "py-catalog-impl")


def catalog_properties(settings: Settings) -> dict[str, str]:
    """The properties of the catalog `lake`, secrets included: show `public_properties` of them.

    PYICEBERG_CATALOG__LAKE__* and .pyiceberg.yaml decide, as for every PyIceberg program. If they
    name neither `uri` nor `type`, they add to the default: an SQL catalog in our Postgres with its
    warehouse under the home (so a warehouse in S3 takes one variable).

    Raises:
        ConfigurationError: PyIceberg's configuration has another shape than it should.
        LedgerError: the embedded Postgres does not start.
    """
    configured = _configured(settings)
    if _names_a_catalog(configured):
        return configured
    return {
        "type": "sql",
        "uri": postgres_url(settings),
        "warehouse": f"file://{settings.warehouse}",
        "pool_pre_ping": "true",
        **configured,
    }


def is_in_our_postgres(settings: Settings) -> bool:
    """The environment names no catalog, so that it is the one in the ledger's Postgres.

    Raises:
        ConfigurationError: as `catalog_properties`.
    """
    return not _names_a_catalog(_configured(settings))


def _configured(settings: Settings) -> dict[str, str]:
    try:
        found = Config().get_catalog_config(settings.catalog_name) or {}
    except ValueError as error:
        raise ConfigurationError(f"PyIceberg's configuration does not hold: {error}") from error
    return {name: str(value) for name, value in found.items()}


def _names_a_catalog(configured: Mapping[str, str]) -> bool:
    return any(name in configured for name in ("uri", *_KINDS))


def _is_arrows(warehouse: str) -> bool:
    """PyIceberg would take PyArrow's file systems for it, of which ours is one that counts."""
    return warehouse.startswith(("file://", "s3://", "s3a://", "gs://"))


def load_catalog(settings: Settings, *, as_it_is: bool = False) -> Catalog:
    """The catalog, ready for use; the same object for the same properties in one process.

    `as_it_is`: for reading alone, because an SQL catalog that has no tables of its own yet does not
    get them, and answers none of what it is asked: see `is_made`.

    Raises:
        ConfigurationError: the properties name no catalog that PyIceberg can make.
        CatalogError: it is out of reach or refuses us.
        LedgerError: the embedded Postgres does not start.
    """
    properties = catalog_properties(settings)
    if _FILE_IO not in properties and _is_arrows(properties.get("warehouse", "")):
        properties = {**properties, _FILE_IO: CLASS_NAME}
    if as_it_is:
        properties |= {"init_catalog_tables": "false"}
    shown = public_properties(properties)
    try:
        return _load(settings.catalog_name, tuple(sorted(properties.items())))
    except (ValueError, ImportError, NotInstalledError) as error:
        raise ConfigurationError(
            f"Catalog {settings.catalog_name!r} cannot be made from {shown}: "
            f"{public_url(str(error))}. "
            f"Correct PYICEBERG_CATALOG__{settings.catalog_name.upper()}__*."
        ) from error
    except (SQLAlchemyError, RESTError, OSError) as error:
        raise CatalogError(
            f"Catalog {settings.catalog_name!r} cannot be reached with {shown}: "
            f"{type(error).__name__}. Nothing was read or written; see that the service is up and "
            "lets us in."
        ) from error


def table_exists(catalog: Catalog, identifier: str) -> bool:
    """The catalog has such a table.

    Raises:
        CatalogError: it is out of reach.
    """
    with reachable(identifier):
        return catalog.table_exists(identifier)


def is_made(catalog: Catalog) -> bool:
    """The catalog can be asked: an SQL one has the tables that it keeps its own in.

    Raises:
        CatalogError: it is out of reach.
    """
    if not isinstance(catalog, SqlCatalog):
        return True
    with reachable(catalog.name):
        return inspect(catalog.engine).has_table(IcebergTables.__tablename__)


@lru_cache(maxsize=8)
def _load(name: str, properties: tuple[tuple[str, str], ...]) -> Catalog:
    try:
        return _make(name, dict(properties))
    except SQLAlchemyError:
        # Two processes that find an empty database both create the catalog's tables, and the
        # slower one fails on the faster one's; by now they are there.
        return _make(name, dict(properties))


def _make(name: str, properties: dict[str, str]) -> Catalog:
    """No call of the catalog waits for ever, as PyIceberg 0.12 lets an SQL or REST one do.

    Until it takes timeouts among a catalog's properties.
    """
    if _is_in_postgres(properties):
        return _BoundSqlCatalog(name, **properties)
    catalog = iceberg_catalog.load_catalog(name, **properties)
    if isinstance(catalog, SqlCatalog):
        _bound(catalog)
        catalog.engine.dispose()
    elif isinstance(catalog, RestCatalog):
        session = catalog._session
        session.request = partial(session.request, timeout=_REST_SECONDS)  # type: ignore[method-assign]
    return catalog


def _is_in_postgres(properties: dict[str, str]) -> bool:
    kind = properties.get("type", "sql").lower()
    uri = properties.get("uri", "")
    return kind == "sql" and "py-catalog-impl" not in properties and uri.startswith("postgresql")


class _BoundSqlCatalog(SqlCatalog):
    """Bound before it asks for its tables."""

    def _init_catalog(self) -> None:
        _bound(self)
        super()._init_catalog()


def _bound(catalog: SqlCatalog) -> None:
    if catalog.engine.dialect.name == "postgresql":
        event.listen(catalog.engine, "do_connect", _with_timeouts)
        event.listen(catalog.engine, "connect", partial(_with_limits, catalog.engine))


def _with_timeouts(dialect: Any, _record: object, _args: object, params: Any) -> None:
    """Adds to what a connection is made with; what the URI says stays."""
    has_own_limit = "statement_timeout" in str(params.get("options", ""))
    is_watched = dialect.driver == "psycopg2" and not has_own_limit
    options = connection_options(STATEMENT_TIME) if is_watched else KEEPALIVES
    for option, value in options.items():
        params.setdefault(option, value)


def _with_limits(engine: Engine, connection: Any, _record: object) -> None:
    """The server ends what takes too long, unless the URI has other limits among its options."""
    said = str(engine.url.query.get("options", ""))
    limits = {
        "statement_timeout": STATEMENT_TIME,
        "idle_in_transaction_session_timeout": TRANSACTION_IDLE,
    }
    with connection.cursor() as cursor:
        for name, limit in limits.items():
            if name not in said:
                cursor.execute(f"SET {name} = {round(limit.total_seconds() * 1000)}")
    connection.commit()

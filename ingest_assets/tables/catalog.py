"""The Iceberg catalog `lake`: what PyIceberg's configuration names, else one in our Postgres."""

from functools import lru_cache

from pyiceberg import catalog as iceberg_catalog
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NotInstalledError, RESTError
from pyiceberg.utils.config import Config
from sqlalchemy.exc import SQLAlchemyError

from ingest_assets.errors import CatalogError, ConfigurationError
from ingest_assets.settings import Settings, postgres_url, public_properties, public_url
from ingest_assets.tables.catalog_errors import reachable

__all__ = ["Catalog", "catalog_properties", "load_catalog", "table_exists"]

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
    try:
        found = Config().get_catalog_config(settings.catalog_name) or {}
    except ValueError as error:
        raise ConfigurationError(f"PyIceberg's configuration does not hold: {error}") from error
    configured = {name: str(value) for name, value in found.items()}
    if any(name in configured for name in ("uri", *_KINDS)):
        return configured
    return {
        "type": "sql",
        "uri": postgres_url(settings),
        "warehouse": f"file://{settings.warehouse}",
        "pool_pre_ping": "true",
        **configured,
    }


def load_catalog(settings: Settings) -> Catalog:
    """The catalog, ready for use; the same object for the same properties in one process.

    Raises:
        ConfigurationError: the properties name no catalog that PyIceberg can make.
        CatalogError: it is out of reach or refuses us.
        LedgerError: the embedded Postgres does not start.
    """
    properties = catalog_properties(settings)
    shown = public_properties(properties)
    try:
        return _load(settings.catalog_name, tuple(sorted(properties.items())))
    except (ValueError, NotInstalledError) as error:
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


@lru_cache(maxsize=8)
def _load(name: str, properties: tuple[tuple[str, str], ...]) -> Catalog:
    try:
        return iceberg_catalog.load_catalog(name, **dict(properties))
    except SQLAlchemyError:
        # Two processes that find an empty database both create the catalog's tables, and the
        # slower one fails on the faster one's; by now they are there.
        return iceberg_catalog.load_catalog(name, **dict(properties))

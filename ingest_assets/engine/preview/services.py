"""The ledger and the catalog, asked and never written to: not even what a first use makes."""

from dataclasses import dataclass
from functools import cached_property

from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.source_report import ServiceSeen
from ingest_assets.errors import CatalogError, ConfigurationError, LedgerError
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.ledger_release import Release, release
from ingest_assets.ledger.server import is_running
from ingest_assets.settings import postgres_url
from ingest_assets.tables.catalog import Catalog, is_in_our_postgres, is_made, load_catalog


class ReadingDeployment(Deployment):
    """The same deployment, whose ledger is not migrated and whose catalog is not set up."""

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger as it is."""
        return Ledger(postgres_url(self.settings))

    @property
    def catalog(self) -> Catalog:
        """The catalog as it is."""
        return load_catalog(self.settings, as_it_is=True)


@dataclass(frozen=True)
class Services:
    """`has_ledger`, `has_catalog`: they can be asked; `seen` says which they are, or why not.

    `has_no_table`: the catalog is not made yet, so that no table can be in it.
    """

    deployment: ReadingDeployment
    has_ledger: bool
    has_catalog: bool
    has_no_table: bool
    seen: tuple[ServiceSeen, ...]

    def why(self, name: str) -> str:
        """What was said of the service that cannot be asked, as half a sentence."""
        said = next(seen.said for seen in self.seen if seen.name == name)
        return f"of the {name}, {said.rstrip('.')}"


def services_of(deployment: Deployment, *, may_start: bool) -> Services:
    """What of the services there is, and answers. A Postgres that was never made is not made.

    `may_start`: the embedded Postgres, if it was made before and does not run, is started.
    """
    reading = ReadingDeployment(deployment.settings)
    ledger = _ledger_seen(reading, may_start=may_start)
    catalog = _catalog_seen(reading, has_postgres=ledger.was_asked)
    return Services(
        reading,
        has_ledger=ledger.was_asked and ledger.said != _NO_LEDGER,
        has_catalog=catalog.was_asked,
        has_no_table=catalog.said in (_NO_CATALOG, _NO_POSTGRES),
        seen=(ledger, catalog),
    )


_NO_LEDGER = "there is none in its Postgres yet; the first run makes it"
_NO_CATALOG = "it has no tables yet; the first run makes it"
_NO_POSTGRES = "it comes with the ledger, which is not made yet"


def _ledger_seen(deployment: ReadingDeployment, *, may_start: bool) -> ServiceSeen:
    settings = deployment.settings
    if settings.postgres_url is None:
        if not _has_postgres(deployment):
            return _not_asked("ledger", f"there is none under {settings.home} yet")
        if not may_start and not is_running(settings.postgres_folder):
            return _not_asked("ledger", f"the embedded Postgres of {settings.home} does not run")
    try:
        found = release(deployment.ledger)
    except LedgerError as error:
        return _not_asked("ledger", str(error))
    match found:
        case Release.NONE:
            return ServiceSeen("ledger", was_asked=True, said=_NO_LEDGER)
        case Release.OTHER:
            return _not_asked(
                "ledger", "it was written by another release; the next run of this one migrates it"
            )
    return ServiceSeen("ledger", was_asked=True, said=repr(deployment.ledger))


def _has_postgres(deployment: Deployment) -> bool:
    """A server is named, or the embedded one was made before."""
    settings = deployment.settings
    return settings.postgres_url is not None or (settings.postgres_folder / "data").exists()


def _catalog_seen(deployment: ReadingDeployment, *, has_postgres: bool) -> ServiceSeen:
    try:
        if is_in_our_postgres(deployment.settings) and not has_postgres:
            said = "it is in the ledger's Postgres, which was not asked"
            return _not_asked("catalog", said if _has_postgres(deployment) else _NO_POSTGRES)
        catalog = deployment.catalog
        if not is_made(catalog):
            return _not_asked("catalog", _NO_CATALOG)
    except (CatalogError, ConfigurationError, LedgerError) as error:
        return _not_asked("catalog", str(error))
    return ServiceSeen("catalog", was_asked=True, said=f"{catalog.name} ({type(catalog).__name__})")


def _not_asked(name: str, said: str) -> ServiceSeen:
    return ServiceSeen(name, was_asked=False, said=said)

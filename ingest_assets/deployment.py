"""One deployment: the settings, and the ledger, catalog and connections that they name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ingest_assets.alerts.alerts_file import load_alerts
from ingest_assets.alerts.channels import Alerts
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.errors import ConnectionsFileError, UnknownIngestionError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection, load_connections
from ingest_assets.files.dead_letters import DeadLetterStore
from ingest_assets.files.finished_object import Finishing
from ingest_assets.files.finishing import finishing
from ingest_assets.files.notifications.queue import Queue
from ingest_assets.files.object_store import Patience
from ingest_assets.files.store import SourceStore
from ingest_assets.files.unreachable import UnreachableStores
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.settings import Settings, postgres_url
from ingest_assets.tables.catalog import Catalog, load_catalog
from ingest_assets.tables.owner import Owner


@dataclass(frozen=True)
class Deployment:
    """Everything that work needs and that is not in a declaration; services are reached lazily."""

    settings: Settings

    @classmethod
    def from_env(cls) -> "Deployment":
        """The deployment that the environment names; one object a process and environment."""
        return _deployment(Settings.from_env())

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, migrated."""
        ledger = Ledger(postgres_url(self.settings))
        ledger.migrate()
        return ledger

    @cached_property
    def ledger_id(self) -> str:
        """What the tables of this deployment carry as their owner's mark."""
        return self.ledger.ledger_id()

    @property
    def catalog(self) -> Catalog:
        """The Iceberg catalog."""
        return load_catalog(self.settings)

    @cached_property
    def connections(self) -> dict[str, Connection]:
        """The named connections of the declarations' folder."""
        return load_connections(self.settings.defs)

    @cached_property
    def alerts(self) -> Alerts:
        """The channels and limits of alerts.yaml in the declarations' folder."""
        return load_alerts(self.settings.defs)

    @cached_property
    def s3_clients(self) -> S3Clients:
        """The S3 clients of this process."""
        return S3Clients()

    @cached_property
    def unreachable(self) -> UnreachableStores:
        """The stores that did not answer this process."""
        return UnreachableStores()

    def store(self, ingestion: Ingestion, patience: Patience | None = None) -> SourceStore:
        """The store of the ingestion's files, which reads them with this patience (else `PATIENT`).

        Raises:
            ConnectionsFileError: the declaration names a connection that there is not.
        """
        connection = self.connection(ingestion, ingestion.source.connection)
        spool = self.settings.home / "spool"
        return SourceStore(ingestion.source, connection, spool, self.s3_clients, patience)

    def queue(self, ingestion: Ingestion) -> Queue:
        """The queue of the ingestion's notifications, which its declaration names.

        Raises:
            ConnectionsFileError: the declaration names a connection that there is not.
        """
        url = ingestion.source.discovery.queue_url
        assert url is not None
        connection = self.connection(ingestion, ingestion.source.connection)
        return Queue(url, connection, self.s3_clients)

    def finishing(self, ingestion: Ingestion) -> Finishing:
        """What is done with the ingestion's files when their rows are certain.

        Raises:
            ConnectionsFileError: the declaration names a connection that there is not.
            ObjectStoreError: there are no usable credentials.
        """
        connection = self.connection(ingestion, ingestion.source.connection)
        return finishing(ingestion.source, connection, self.s3_clients)

    def dead_letter_store(self, ingestion: Ingestion) -> DeadLetterStore:
        """The store of the ingestion's dead letters.

        Raises:
            ConnectionsFileError: the declaration names a connection that there is not.
        """
        place = ingestion.dead_letter.place(self.settings.home)
        connection = self.connection(ingestion, ingestion.dead_letter.connection)
        return DeadLetterStore(place, ingestion.name, connection, self.s3_clients)

    def connection(self, ingestion: Ingestion, name: str) -> Connection:
        """The connection that the declaration names.

        Raises:
            ConnectionsFileError: there is none of that name.
        """
        if name not in self.connections:
            raise ConnectionsFileError(
                f"{ingestion.name} uses the connection {name!r}, which connections.yaml lacks; "
                f"it has {', '.join(sorted(self.connections))}."
            )
        return self.connections[name]

    def owner(self, ingestion: Ingestion) -> Owner:
        """Who the ingestion's table belongs to."""
        return Owner(ingestion.name, self.ledger_id)

    def ingestion(self, name: str) -> Ingestion:
        """The declared ingestion of that name.

        Raises:
            UnknownIngestionError: there is none; says which there are.
            DeclarationError: the declarations do not hold.
        """
        found = {d.ingestion.name: d.ingestion for d in load_declarations(self.settings.defs)}
        if name not in found:
            known = ", ".join(sorted(found)) or "none at all"
            raise UnknownIngestionError(
                f"No ingestion is called {name!r} in {self.settings.defs}; declared are: {known}. "
                "`ingest-assets new` declares one; INGEST_DEFS names the folder."
            )
        return found[name]


DeploymentSource = Callable[[], Deployment]
"""How definitions come to their deployment when they run, not when they are loaded."""


@lru_cache(maxsize=4)
def _deployment(settings: Settings) -> Deployment:
    return Deployment(settings)

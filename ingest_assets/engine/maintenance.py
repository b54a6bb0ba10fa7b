"""The tables of an ingestion are kept: few data files, little history, nothing left over.

First the plan, which changes nothing, then table by table what it says. What is done is found anew
when it is done, so a plan may be old: it says what would have been done then. A table whose
maintenance fails holds up no other, and none of it holds up an ingestion.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from ingest_assets.deployment import Deployment
from ingest_assets.engine.chores import (
    Chore,
    MaintenanceReport,
    Result,
    TableReport,
)
from ingest_assets.engine.recovery import recover
from ingest_assets.errors import CatalogError, IngestError, TableMissingError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import expired_batches, registry, table_health
from ingest_assets.tables.compaction import compact
from ingest_assets.tables.compaction_plan import FileSizes, file_groups, live_tasks
from ingest_assets.tables.expiry import expire, plan_expiry
from ingest_assets.tables.expiry_plan import Retention
from ingest_assets.tables.kept_table import Reached, kept_table
from ingest_assets.tables.manifests import plan_manifests, rewrite_manifests
from ingest_assets.tables.orphans import Orphans, delete_orphans, find_orphans
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.rejected import SUFFIX
from ingest_assets.tables.table_health import TableHealth
from ingest_assets.tables.table_health import table_health as health_of

logger = logging.getLogger(__name__)

T = TypeVar("T")
_TRIES = 5
"""As many maintenances would have to expire what this one has loaded, one after the other."""


def plan(
    deployment: Deployment,
    ingestion: Ingestion,
    chores: Collection[Chore] = tuple(Chore),
    now: datetime | None = None,
) -> MaintenanceReport:
    """What would be done; nothing is changed.

    Raises:
        LedgerError: Postgres does not answer.
    """
    work = _Work(deployment, ingestion, now or datetime.now(UTC))
    tables = [
        found
        for identifier in work.identifiers()
        if (found := work.report(identifier, chores, work.planned)) is not None
    ]
    return MaintenanceReport(ingestion, tuple(tables), is_plan=True)


def maintain(
    deployment: Deployment,
    ingestion: Ingestion,
    chores: Collection[Chore] = tuple(Chore),
    now: datetime | None = None,
    reached: Reached = lambda _: None,
) -> MaintenanceReport:
    """The tables are kept, and their health is noted in the ledger.

    Batches whose worker is gone come to their end first: expiry would have to wait for them.

    Raises:
        LedgerError: Postgres does not answer.
        CatalogError, CommitUnknownError, CommitConflictError: recovery did not come through.
    """
    recover(deployment, ingestion)
    work = _Work(deployment, ingestion, now or datetime.now(UTC), reached)
    tables = []
    for identifier in work.identifiers():
        found = work.report(identifier, chores, work.done)
        if found is None:
            continue
        tables.append(found)
        if found.health is not None:
            with deployment.ledger.transaction() as connection:
                table_health.note(connection, ingestion.name, identifier, found.health)
    return MaintenanceReport(ingestion, tuple(tables), is_plan=False)


@dataclass(frozen=True)
class _Work:
    deployment: Deployment
    ingestion: Ingestion
    now: datetime
    reached: Reached = field(default=lambda _: None)

    def identifiers(self) -> Iterator[str]:
        """Every table of the ingestion, and that of its rejected rows."""
        with self.deployment.ledger.transaction() as connection:
            routes = registry.routes(connection, self.ingestion.name)
        for route in routes:
            identifier = route or self.ingestion.table.identifier
            yield from (identifier, identifier + SUFFIX)

    def report(
        self, identifier: str, chores: Collection[Chore], do: Callable[[str, Chore], Result]
    ) -> TableReport | None:
        """What `do` gave for each chore; None for a table that there is not."""
        results: dict[Chore, Result] = {}
        refused: dict[str, str] = {}
        failed: dict[str, str] = {}
        health = None
        for chore in (*(one for one in Chore if one in chores), None):
            try:
                if chore is None:
                    health = _unless_gone(lambda: self._health(identifier))
                else:
                    results[chore] = _unless_gone(partial(do, identifier, chore))
            except TableMissingError:
                return None
            except IngestError as error:
                kind = failed if error.is_retryable else refused
                kind["health" if chore is None else chore.value] = str(error)
                logger.warning("%s of %s: %s", chore or "health", identifier, error)
        return TableReport(identifier, health, results, refused, failed)

    def planned(self, identifier: str, chore: Chore) -> Result:
        """What the chore would do."""
        table = kept_table(self.deployment.catalog, identifier, self._owner)
        match chore:
            case Chore.COMPACT:
                return file_groups(table, live_tasks(table), self._sizes)
            case Chore.MANIFESTS:
                return plan_manifests(table)
            case Chore.EXPIRE:
                needed = self._needed(identifier)
                return plan_expiry(table, self._retention, self.now, needed)
            case Chore.ORPHANS:
                return self._orphans(identifier)

    def done(self, identifier: str, chore: Chore) -> Result:
        """What the chore has done."""
        catalog, owner = self.deployment.catalog, self._owner
        match chore:
            case Chore.COMPACT:
                spool = self.deployment.settings.home / "spool"
                return compact(catalog, identifier, owner, self._sizes, spool, self.reached)
            case Chore.MANIFESTS:
                return rewrite_manifests(catalog, identifier, owner)
            case Chore.EXPIRE:
                return expire(
                    catalog,
                    identifier,
                    owner,
                    self._retention,
                    self.now,
                    self._needed(identifier),
                    self._note(identifier),
                    self.reached,
                )
            case Chore.ORPHANS:
                found = self._orphans(identifier)
                self.reached("orphans found")
                return delete_orphans(catalog, identifier, owner, found, self.reached)

    def _health(self, identifier: str) -> TableHealth:
        table = kept_table(self.deployment.catalog, identifier, self._owner)
        return health_of(table, live_tasks(table), self._sizes)

    @property
    def _owner(self) -> Owner:
        return self.deployment.owner(self.ingestion)

    @property
    def _sizes(self) -> FileSizes:
        declared = self.ingestion.maintenance
        return FileSizes(declared.target_file_bytes, declared.min_files)

    @property
    def _retention(self) -> Retention:
        with self.deployment.ledger.transaction() as connection:
            since = expired_batches.unsettled_since(connection, self.ingestion.name)
        declared = self.ingestion.maintenance
        return Retention(declared.keep_snapshots, declared.history, since)

    def _needed(
        self, identifier: str
    ) -> Callable[[Collection[str], Collection[str]], frozenset[str]]:
        """A batch is found by the main table; in the other one only while its worker may live."""
        is_main = not identifier.endswith(SUFFIX)

        def needed(in_main: Collection[str], abandoned: Collection[str]) -> frozenset[str]:
            with self.deployment.ledger.transaction() as connection:
                if is_main:
                    return expired_batches.needed(connection, in_main, abandoned)
                return frozenset(expired_batches.open_batches(connection))

        return needed

    def _note(self, identifier: str) -> Callable[[str, Mapping[str, int]], None]:
        is_main = not identifier.endswith(SUFFIX)

        def note(table_uuid: str, positions: Mapping[str, int]) -> None:
            if is_main and positions:
                with self.deployment.ledger.transaction() as connection:
                    expired_batches.note(connection, table_uuid, positions)

        return note

    def _orphans(self, identifier: str) -> Orphans:
        def open_batches() -> Sequence[str]:
            with self.deployment.ledger.transaction() as connection:
                return expired_batches.open_batches(connection)

        age = self.ingestion.maintenance.settled
        catalog, owner = self.deployment.catalog, self._owner
        return find_orphans(catalog, identifier, owner, age, self.now, open_batches)


def _unless_gone(do: Callable[[], T]) -> T:
    """What it gives; again if a file is gone that it went to read.

    Another maintenance of the table expires what this one has loaded, and deletes its files.
    """
    for _ in range(_TRIES - 1):
        try:
            return do()
        except CatalogError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    return do()

"""What is done for a table to keep it, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingest_assets.ingestion import Ingestion
from ingest_assets.tables.compaction import Compacted
from ingest_assets.tables.compaction_plan import FileGroup
from ingest_assets.tables.expiry import Expiry
from ingest_assets.tables.manifests import ManifestRewrite
from ingest_assets.tables.orphans import Orphans
from ingest_assets.tables.table_health import TableHealth


class Chore(StrEnum):
    """What is done for a table, in this order."""

    COMPACT = "compact"
    MANIFESTS = "manifests"
    EXPIRE = "expire"
    ORPHANS = "orphans"


Result = tuple[FileGroup, ...] | Compacted | ManifestRewrite | Expiry | Orphans


@dataclass(frozen=True)
class TableReport:
    """One table: how it is, what each chore would do or did, and why one was not done."""

    identifier: str
    health: TableHealth | None = None
    results: Mapping[Chore, Result] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MaintenanceReport:
    """All tables of an ingestion. `is_plan`: nothing was changed."""

    ingestion: Ingestion
    tables: tuple[TableReport, ...]
    is_plan: bool

    @property
    def has_failed(self) -> bool:
        """Something could not be done that may be done later."""
        return any(table.failed for table in self.tables)

    @property
    def has_work(self) -> bool:
        """Something would be changed, or was."""
        return any(has_work(result) for table in self.tables for result in table.results.values())


def has_work(result: Result) -> bool:
    """Something would be changed, or was."""
    match result:
        case Compacted():
            return result.groups > 0
        case ManifestRewrite():
            return result.is_worth_it
        case Expiry():
            return bool(result.snapshots)
        case Orphans():
            return bool(result.files)
    return bool(result)

"""The tables of an ingestion, their rows counted, as far as they are there and are its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import merge

from ingest_assets.deployment import Deployment
from ingest_assets.engine.disagreement import Disagreement, Kind
from ingest_assets.engine.file_comparison import FoundRows
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import registry, schema_versions
from ingest_assets.tables.rejected import SUFFIX
from ingest_assets.tables.row_counts import RowCounts
from ingest_assets.tables.table_state import TableState, table_state


@dataclass
class ComparedTables:
    """The tables by route (as in `ledger.tables`), and why others cannot be compared.

    Tables of rejected rows that are not there are None.
    """

    main: dict[str, TableState] = field(default_factory=dict)
    rejected: dict[str, TableState | None] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)
    unmarked_rows: int = 0
    _counts: list[tuple[str, bool, RowCounts]] = field(default_factory=list)

    @property
    def abandoned(self) -> frozenset[str]:
        """The batches that rollbacks took out of a table's `main`."""
        return frozenset(b for state in self.main.values() for b in state.batches.abandoned)

    def found_rows(self) -> Iterator[FoundRows]:
        """The rows of all tables by the ids of their files."""
        streams = [_found(*counted) for counted in self._counts]
        return merge(*streams, key=lambda part: part.rows.file_id)

    def name_of(self, part: FoundRows) -> str:
        """The identifier of the table that has these rows."""
        return self.main[part.route].identifier + (SUFFIX if part.is_rejected else "")

    def add(self, route: str, counts: RowCounts, *, is_rejected: bool) -> None:
        """The rows of one more table."""
        self._counts.append((route, is_rejected, counts))
        self.unmarked_rows += 0 if is_rejected else counts.unmarked_rows


def _found(route: str, is_rejected: bool, counts: RowCounts) -> Iterator[FoundRows]:
    return (FoundRows(route, is_rejected, rows) for rows in counts)


def compared_tables(
    deployment: Deployment, ingestion: Ingestion, stack: ExitStack
) -> ComparedTables:
    """Every table of the ingestion at one snapshot; the counts are there until `stack` is closed.

    Raises:
        CatalogError, LedgerError: a service is out of reach.
    """
    compared = ComparedTables()
    spool, owner = deployment.settings.home / "spool", deployment.owner(ingestion)
    with deployment.ledger.transaction() as connection:
        routes = registry.routes(connection, ingestion.name)
        written = {
            route
            for route in routes
            if schema_versions.was_ever_written(connection, ingestion.name, route)
        }
    for route in routes:
        name = route or ingestion.table.identifier
        rejected = table_state(deployment.catalog, name + SUFFIX, owner)
        state = table_state(deployment.catalog, name, owner)
        if state is None:
            if route in written:
                compared.disagreements.append(_missing(name, route))
            continue
        if foreign := state.other_owner or (rejected and rejected.other_owner):
            compared.disagreements.append(
                Disagreement(Kind.OTHER_OWNER, foreign, None, table=route)
            )
            continue
        compared.main[route], compared.rejected[route] = state, rejected
        for found in (state, rejected):
            if found is not None:
                counts = stack.enter_context(found.row_counts(spool))
                compared.add(route, counts, is_rejected=found is rejected)
    return compared


def _missing(name: str, route: str) -> Disagreement:
    cause = (
        f"{name} is not in the catalog any more, although files were committed to it; somebody "
        "dropped or renamed it. Bring it back, or materialize its partitions to build it again"
    )
    return Disagreement(Kind.TABLE_MISSING, cause, None, table=route)

"""The schema of a table in the course of one batch: what it is, and the versions that come."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from ingest_assets.engine.active_columns import effective_columns
from ingest_assets.errors import SchemaParkedError
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.ledger import decisions, registry, schema_versions, source_shapes
from ingest_assets.ledger.decisions import SchemaDecision
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.schema_versions import SchemaChange, SchemaVersion
from ingest_assets.ledger.source_shapes import SourceShape
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import Change, Difference, difference
from ingest_assets.schema.types import columns_from_json, columns_to_json, fingerprint
from ingest_assets.tables.lineage import BATCH_PROPERTY
from ingest_assets.tables.main_branch import ancestor_with
from ingest_assets.tables.target import Target


@dataclass
class SchemaState:
    """What the next file of the batch is compared with.

    `version` is the ledger's number for `columns`; when a change of this batch brought them,
    `change_index` points to it and the number comes with the batch's end. `others` are the tables
    that people gave to shapes of their own, with their columns (the declared table is one to them).
    `source` is what is known of the files' own fields, where a transform makes the columns of them.
    """

    target: Target
    columns: Columns | None
    version: int | None
    ignored: tuple[Change, ...] = ()
    route: str = ""
    others: tuple[tuple[str, Columns], ...] = ()
    source: KnownSource = field(default_factory=KnownSource)
    changes: list[SchemaChange] = field(default_factory=list)
    change_index: int | None = None
    _holds_lineage: bool = False

    def __post_init__(self) -> None:
        self._opened_with = self.version

    def bring(self, columns: Columns, found: Difference, file_id: int) -> None:
        """Staged: the table holds `columns`, and the next version says so.

        Raises:
            TableLayoutError, UnsupportedTypeError, CatalogError: as `Target.evolve`.
        """
        self.target.evolve(columns)
        self.columns = columns
        self.change_index = self._add("ACTIVE", columns, found, file_id)

    def declare(self, columns: Columns, found: Difference) -> int:
        """The index of the version that says what the table holds, or will from its first rows."""
        self.columns = columns
        self.change_index = self._add("ACTIVE", columns, found, None)
        return self.change_index

    def adopt(self, changes: Sequence[SchemaChange]) -> list[int]:
        """Staged: what these changes bring, which were found elsewhere; their indices here.

        A shape that is PENDING already stays the one that it is.

        Raises:
            As `bring`.
        """
        indices = []
        for change in changes:
            if change.status == "PENDING":
                known = self._pending(change.fingerprint)
                indices.append(len(self.changes) if known is None else known)
                if known is None:
                    self.changes.append(change)
                continue
            columns = columns_from_json(change.fields)
            self.target.evolve(columns)
            self.columns, self.change_index = columns, len(self.changes)
            self.changes.append(change)
            indices.append(self.change_index)
        return indices

    def _pending(self, wanted: str) -> int | None:
        for index, change in enumerate(self.changes):
            if (change.status, change.fingerprint) == ("PENDING", wanted):
                return index
        return None

    def park(
        self,
        columns: Columns,
        found: Difference,
        file_id: int | None,
        always_present: frozenset[str] = frozenset(),
    ) -> int:
        """The index of the PENDING version of this shape; one for all files that have it.

        `always_present`: the columns that are required once somebody accepts it.
        """
        known = self._pending(fingerprint(columns))
        if known is not None:
            return known
        present = {"always_present": sorted(always_present)}
        return self._add("PENDING", columns, found, file_id, present)

    def _add(
        self,
        status: Literal["ACTIVE", "PENDING"],
        columns: Columns,
        found: Difference,
        file_id: int | None,
        more: dict[str, Any] | None = None,
    ) -> int:
        self.changes.append(
            SchemaChange(
                status=status,
                verdict=found.verdict.value,
                compatibility=found.compatibility,
                fields=columns_to_json(columns),
                fingerprint=fingerprint(columns),
                diff=found.to_json() | (more or {}),
                file_id=file_id,
                base_version=self._opened_with,
                route=self.route,
            )
        )
        return len(self.changes) - 1

    @contextmanager
    def undone_if_it_fails(self) -> Iterator[None]:
        """A file that fails leaves no trace in the table's schema, nor in its versions."""
        mark = self.target.mark()
        before = (self.columns, self.change_index, len(self.changes), self._holds_lineage)
        try:
            yield
        except SchemaParkedError:  # its change is the PENDING version
            raise
        except BaseException:
            self.target.restore(mark)
            self.columns, self.change_index, count, self._holds_lineage = before
            del self.changes[count:]
            raise

    def hold_lineage(self) -> None:
        """Staged: the table has the lineage columns, also one that was adopted without them."""
        if not self._holds_lineage:
            self.target.evolve(self.columns or ())
            self._holds_lineage = True


@dataclass(frozen=True)
class KnownSchema:
    """What the ledger knows of a table's schema.

    It is read before the table is loaded, so that the table is never older than what is known: what
    was decided or added in between is in the table, and the batch finds it there.
    """

    version: SchemaVersion | None
    route: str
    ignored: tuple[Change, ...]
    others: tuple[tuple[str, Columns], ...]
    under_way: tuple[str, SchemaDecision] | None
    was_ever_written: bool
    source: SourceShape | None = None


def known_schema(ledger: Ledger, ingestion: str, route: str = "") -> KnownSchema:
    """What the ledger knows now."""
    with ledger.transaction() as connection:
        return KnownSchema(
            schema_versions.active(connection, ingestion, route),
            route,
            registry.ignored_changes(connection, ingestion, route),
            registry.other_tables(connection, ingestion, route),
            decisions.under_way(connection, ingestion),
            schema_versions.was_ever_written(connection, ingestion, route),
            source_shapes.known(connection, ingestion, route),
        )


def open_state(known: KnownSchema, target: Target, file_id: int | None) -> SchemaState:
    """The state at the beginning of a batch: the ledger's active version and the table as it is.

    Where the table says otherwise (it is adopted, or another engine changed it), a first change
    makes that a version. So it does where a decision is in the table and not yet in the ledger.
    """
    version = known.version
    active = None if version is None else columns_from_json(version.fields)
    decided, ignored = _decided(known, target), known.ignored
    if decided is not None:
        ignored += registry.ignored_by(decided.action, decided.diff or {})
    wanted = active if decided is None else columns_from_json(decided.fields or [])
    columns = effective_columns(wanted, target.columns)
    number = version.version if version else None
    state = SchemaState(target, columns, number, ignored, known.route, known.others)
    is_known = (
        active is not None and columns is not None and fingerprint(columns) == fingerprint(active)
    )
    if columns is not None and not is_known:
        found = difference(active, columns)
        state.change_index = state._add("ACTIVE", columns, found, file_id)
    return state


def _decided(known: KnownSchema, target: Target) -> SchemaDecision | None:
    """The decision on the columns that is being carried out, if it is in the table already."""
    if known.under_way is None or target.base is None:
        return None
    batch_id, decision = known.under_way
    if decision.fields is None or decision.route != known.route:
        return None
    if ancestor_with(target.base, BATCH_PROPERTY, batch_id) is None:
        return None
    return decision

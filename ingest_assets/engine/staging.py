"""From claimed files to staged data files: all read, judged in order, nothing visible yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from ingest_assets.deployment import Deployment
from ingest_assets.engine.batch_quality import open_quality
from ingest_assets.engine.overtaken import refused
from ingest_assets.engine.schema_state import SchemaState
from ingest_assets.engine.sink import Sink
from ingest_assets.engine.source_state import source_shape
from ingest_assets.engine.spreading import Cluster, Spreading
from ingest_assets.engine.stager import Stager
from ingest_assets.engine.steps import judged
from ingest_assets.engine.write_mode import mode_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets.ledger.source_shapes import SourceShape
from ingest_assets.tables.commit import Prepared
from ingest_assets.tables.rejected import open_rejected


@dataclass(frozen=True)
class StagedBatch:
    """A batch that is read and written, and waits for its commit.

    `main` and `rejected` are None where the batch has nothing for that table.
    """

    claimed: ClaimedBatch
    ingestion: Ingestion
    outcomes: list[FileOutcome]
    changes: list[SchemaChange]
    source: SourceShape | None
    main: Prepared | None
    rejected: Prepared | None

    def discard(self, *, and_rejected: bool) -> None:
        """The data files of the main table are deleted, and those of rejected rows if asked for.

        No snapshot may name them.

        Raises:
            CatalogError: the warehouse is out of reach; orphans are left there.
        """
        for prepared in (self.main, self.rejected if and_rejected else None):
            if prepared is not None:
                prepared.target.delete(data_file.file_path for data_file in prepared.data_files)


def stage(
    deployment: Deployment,
    ingestion: Ingestion,
    claimed: ClaimedBatch,
    state: SchemaState,
    cluster: Cluster | None = None,
) -> StagedBatch:
    """Every file of the batch has its outcome, and the good ones their rows in data files.

    Files are judged in the order of the claim, whatever order their bytes arrive in: a column that
    one file adds is there for the next. So it is where a `cluster` reads many at once. A file's
    failure is its own and leaves no trace; only a fault of the ledger, the catalog, the warehouse,
    the cluster or the configuration fails the batch as a whole.

    Raises:
        CatalogError, LedgerError, ConfigurationError, ClusterError: the batch cannot be staged;
            orphan data files may be left.
    """
    batch_id = claimed.batch_id
    owner = deployment.owner(ingestion)
    rejected_target = open_rejected(deployment.catalog, ingestion.table.identifier, owner)
    stager = Stager(
        deployment.store(ingestion),
        ingestion,
        state,
        main=Sink(state.target, batch_id),
        rejected=Sink(rejected_target, f"{batch_id}-rejected"),
        ingested_at=datetime.now(UTC),
        quality=open_quality(deployment, ingestion, claimed, state.target),
    )
    reading: Stager | Spreading = stager
    if cluster is not None and not any(rule.needs_table for rule in ingestion.quality):
        connection = deployment.connection(ingestion, ingestion.source.connection)
        reading = Spreading(stager, cluster, connection, batch_id)
    late = refused(ingestion, state.target, claimed.files)
    unread = {outcome.file_id for outcome in late}
    files = [file for file in claimed.files if file.file_id not in unread]
    outcomes = list[FileOutcome]()
    for outcome in chain(late, reading.outcomes(files)):
        outcomes.append(outcome)
        judged(outcome)
    main, rejected = _sent(ingestion, claimed, stager, outcomes)
    source = source_shape(ingestion, state.source)
    return StagedBatch(claimed, ingestion, outcomes, state.changes, source, main, rejected)


def _sent(
    ingestion: Ingestion, claimed: ClaimedBatch, stager: Stager, outcomes: Sequence[FileOutcome]
) -> tuple[Prepared | None, Prepared | None]:
    """What is to be committed to the main table, and to that of the rejected rows."""
    column, ids = _leaving(claimed, outcomes)
    mode = mode_of(ingestion.table)
    leaving = (column, ids) if mode is None else ("_file_id", _routed(outcomes))
    unwritten = [content_id for f in claimed.files for content_id in (*f.unwritten, *f.lost)]
    batch_id = claimed.batch_id
    return (
        stager.main.prepared(batch_id, *leaving, mode),
        # An earlier batch may have died between its two commits.
        stager.rejected.prepared(batch_id, column, [*ids, *unwritten]),
    )


def _routed(outcomes: Sequence[FileOutcome]) -> list[int]:
    """The ids of the files that let their rows go, whatever the write mode."""
    return [outcome.file_id for outcome in outcomes if outcome.outcome == "ROUTED"]


def _leaving(claimed: ClaimedBatch, outcomes: Sequence[FileOutcome]) -> tuple[str, list[int]]:
    """The column and the ids of the rows that leave in the commits of the batch, under `append`.

    Those of the table of rejected rows leave so in every write mode.

    All rows of each good file leave: those that come are new. Under `append` only those of the
    content that was read do, so that rows which nothing can read again stay: a file that moves to
    another table leaves its older contents behind, and lets go what belongs to another table. What
    had left the table by the ledger leaves it again if a rollback brought it back. Where the batch
    brings back what a rollback took, those that `append` had kept beside it stay in any mode.
    """
    good = {o.file_id for o in outcomes if o.outcome in ("SUCCESS", "ROUTED")}
    files = [file for file in claimed.files if file.file_id in good]
    if claimed.on_changed_file != "append" and not any(file.leaving for file in claimed.files):
        return "_file_id", [file.file_id for file in files]
    ids = [
        content_id
        for file in files
        for content_id in (file.content_id, *file.elsewhere, *file.unwritten, *file.leaving)
    ]
    return "_content_id", list(dict.fromkeys(ids))

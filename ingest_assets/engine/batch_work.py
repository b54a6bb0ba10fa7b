"""One batch from its claim to its end; every failure leaves a state to go on from."""

import contextlib
import logging
import time
from dataclasses import dataclass, field

from ingest_assets.cost.usage import Usage
from ingest_assets.deployment import Deployment
from ingest_assets.engine.batch_lines import log_committed, log_read
from ingest_assets.engine.batch_usage import usage_so_far, used_since
from ingest_assets.engine.failed_file import failed
from ingest_assets.engine.ingestion_table import open_table
from ingest_assets.engine.lease import KeptLease
from ingest_assets.engine.schema_state import SchemaState, known_schema, open_state
from ingest_assets.engine.source_state import open_source
from ingest_assets.engine.spreading import Cluster, ExecutorsDiedError
from ingest_assets.engine.staging import StagedBatch, stage
from ingest_assets.engine.steps import Step, reached
from ingest_assets.errors import CatalogError, Fate, IngestError, LedgerError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import batches, leases, outcomes, registry, usage
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.logs import about
from ingest_assets.tables.commit import Committed, Steps, commit

logger = logging.getLogger(__name__)


@dataclass
class _Begun:
    """Which commits were begun; what comes of one is uncertain until it has returned or raised."""

    rejected: bool = False
    main: bool = False


@dataclass(frozen=True)
class BatchWork:
    """A claimed batch and the lease that is renewed while the work goes on.

    `may_create` lets a table that was dropped be made again: a person asked for these files.
    """

    deployment: Deployment
    ingestion: Ingestion
    claimed: ClaimedBatch
    lease: KeptLease
    may_create: bool
    run_id: str | None = None
    used_before: Usage = field(default_factory=usage_so_far)

    def _told(self) -> contextlib.AbstractContextManager[None]:
        """What is logged inside is about this batch."""
        claimed = self.claimed
        return about(ingestion=claimed.ingestion, batch_id=claimed.batch_id, run_id=self.run_id)

    def stage(self, cluster: Cluster | None = None) -> StagedBatch:
        """Every file is read and judged, the good rows are in data files that nobody sees yet.

        The cluster reads them where the declaration's `engine` is one.

        Raises:
            Whatever fails the batch as a whole, after its files were given back or FAILED.
        """
        with self._told():
            started = time.monotonic()
            try:
                state = self._open_state()
                staged = stage(self.deployment, self.ingestion, self.claimed, state, cluster)
            except BaseException as error:
                self._give_up(error, None, _Begun())
                raise
            log_read(staged, time.monotonic() - started)
            reached(Step.STAGED, self.claimed.batch_id)
            return staged

    def land(self, staged: StagedBatch) -> Committed:
        """The batch is committed and its files have their outcomes.

        The order is the contract: outcomes recorded, rejected rows, the main table, the ledger.

        Raises:
            LeaseLostError, CommitConflictError, CatalogError: nothing is in the main table.
            CommitUnknownError: the batch stays PREPARED, and recovery decides.
            LedgerError: recovery decides.
        """
        begun, started = _Begun(), time.monotonic()
        with self._told():
            try:
                committed = self._land(staged, begun)
            except BaseException as error:
                self._give_up(error, staged, begun)
                raise
            self.lease.stop()
            log_committed(committed, time.monotonic() - started)
            return committed

    def _land(self, staged: StagedBatch, begun: _Begun) -> Committed:
        batch_id = self.claimed.batch_id
        with self.deployment.ledger.transaction() as connection:
            outcomes.record(connection, batch_id, staged.outcomes, staged.changes, staged.source)
        reached(Step.RECORDED, batch_id)
        if staged.rejected is not None:
            begun.rejected = True
            commit(staged.rejected, self.lease.is_held)
            reached(Step.REJECTED_COMMITTED, batch_id)
        committed = Committed(None)
        if staged.main is not None:

            def lease_checked() -> None:
                begun.main = True
                reached(Step.LEASE_CHECKED, batch_id)

            steps = Steps(lambda: reached(Step.TABLE_LOADED, batch_id), lease_checked)
            committed = commit(staged.main, self.lease.is_held, steps)
            reached(Step.COMMITTED, batch_id)
        if not self._finish(committed.snapshot_id, used_since(self.used_before, staged)):
            logger.info("Batch %s was taken over by recovery, which decides", batch_id)
        reached(Step.MARKED, batch_id)
        return committed

    def _finish(self, snapshot_id: int | None, used: Usage | None = None) -> bool:
        with self.deployment.ledger.transaction() as connection:
            is_ours = outcomes.finish(
                connection,
                self.claimed.batch_id,
                self.claimed.token,
                snapshot_id=snapshot_id,
                backoff=self.ingestion.retries.waits,
            )
            if is_ours and used is not None:
                usage.note(connection, self.ingestion.name, used, self.claimed.batch_id)
            return is_ours

    def _open_state(self) -> SchemaState:
        """The schema to begin with; what is decided between two looks is looked at again."""
        ledger, name, route = self.deployment.ledger, self.ingestion.name, self.claimed.route
        known = known_schema(ledger, name, route)
        while True:
            must_exist = known.was_ever_written and not self.may_create
            target = open_table(self.deployment, self.ingestion, must_exist=must_exist, route=route)
            before, known = known, known_schema(ledger, name, route)
            if known == before:
                state = open_state(known, target, self.claimed.files[0].file_id)
                open_source(self.ingestion, known.source, state)
                return state

    def _give_up(self, error: BaseException, staged: StagedBatch | None, begun: _Begun) -> None:
        """The files of a batch that failed as a whole are where the next pass finds them."""
        self.lease.stop()
        logger.warning("Batch %s failed as a whole: %s", self.claimed.batch_id, error)
        is_in_no_table = False
        with contextlib.suppress(LedgerError):  # then the lease runs out, and recovery does it
            is_in_no_table = self._settle(error, begun)
        # Data files that a snapshot may name are never deleted; at worst they are orphans.
        if staged is not None and is_in_no_table:
            with contextlib.suppress(CatalogError):
                staged.discard(and_rejected=not begun.rejected)

    def _settle(self, error: BaseException, begun: _Begun) -> bool:
        """The ledger knows how the batch ended; True when nothing is in the main table for certain.

        Raises:
            LedgerError: the batch stays PREPARED.
        """
        fate = error.fate if isinstance(error, IngestError) else Fate.FILE_FAILED
        if fate is Fate.FILE_FAILED:  # but it is no file's: a fault, or the run was interrupted
            fate = Fate.ALL_FAILED if isinstance(error, Exception) else Fate.ALL_FREE
            if begun.main:
                fate = Fate.UNDECIDED
        if fate is Fate.UNDECIDED:
            self._expire(error)
        elif fate is Fate.ALL_FREE:
            self._release(error)
        else:
            self._fail_all(error)
        return fate is not Fate.UNDECIDED

    def _release(self, error: BaseException) -> None:
        note = str(error) or type(error).__name__
        has_died = isinstance(error, ExecutorsDiedError)
        with self.deployment.ledger.transaction() as connection:
            outcomes.release(
                connection, self.claimed.batch_id, self.claimed.token, note=note, crashed=has_died
            )

    def _expire(self, error: BaseException) -> None:
        note = str(error) or type(error).__name__
        with self.deployment.ledger.transaction() as connection:
            leases.expire(connection, self.claimed.batch_id, self.claimed.token, note)

    def _fail_all(self, error: BaseException) -> None:
        attempts = self.ingestion.retries.attempts
        failures = [
            failed(file, error, is_final=False, attempts=attempts) for file in self.claimed.files
        ]
        with self.deployment.ledger.transaction() as connection:
            outcomes.record(connection, self.claimed.batch_id, failures, [])
        self._finish(None)


def claim(
    deployment: Deployment,
    ingestion: Ingestion,
    batch_id: str,
    *,
    run_id: str | None,
    may_create: bool = False,
) -> BatchWork | None:
    """The PLANNED batch is this process's to work on, and its lease is kept from now on.

    None when it is not PLANNED any more: it was freed, or another worker has it.
    """
    holder = leases.Holder.this_process()
    with deployment.ledger.transaction() as connection:
        if batches.free_unsettled(connection, batch_id, ingestion.source.settle):
            return None
        claimed = batches.claim(connection, batch_id, holder, run_id)
        if claimed is None:
            return None
        columns = registry.common_columns(connection, ingestion.name, claimed.route)
    lease = KeptLease(deployment.ledger, claimed)
    lease.start()
    reached(Step.CLAIMED, batch_id)
    ingestion = ingestion.for_table(claimed.route, columns)
    return BatchWork(deployment, ingestion, claimed, lease, may_create, run_id)

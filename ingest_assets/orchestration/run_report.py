"""What a run tells Dagster: what became of each file, batch by batch, and at last why it fails.

Every colour follows from the ledger: the outcomes of the batches that the run worked on, and for
keys that it left alone what earlier batches did with them.
"""

import logging
from collections.abc import Sequence

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.steps import Step, reached
from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup, reports, schema_versions, volume
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.reports import FileReport
from ingest_assets.orchestration import check_reporting, events, reporting
from ingest_assets.orchestration.names import asset_key, is_asked_by_person, location_of
from ingest_assets.orchestration.table_checks import table_evaluations
from ingest_assets.orchestration.usage_metadata import usage_metadata
from ingest_assets.schema.types import columns_from_json

logger = logging.getLogger(__name__)

CHARTED_DAYS = 14


class RunReport:
    """The report of one run over `keys`, which grows with each batch."""

    def __init__(
        self,
        context: dg.OpExecutionContext,
        services: Deployment,
        ingestion: Ingestion,
        keys: Sequence[str],
    ) -> None:
        self._keys = keys
        self._context = context
        self._services = services
        self._ingestion = ingestion
        self._held = set[str]()
        self._told = set[str]()
        self._bad: list[FileReport] = []
        self._problems: list[str] = []

    def tell(self, claimed: ClaimedBatch) -> None:
        """Dagster has the outcomes of a batch that was worked on.

        Raises:
            LedgerError: Dagster is told by a later tick.
        """
        self._held.update(file.source.key for file in claimed.files)
        with self._services.ledger.transaction() as connection:
            batch = reports.newest_of_batch(connection, claimed.batch_id)
            version = schema_versions.active(connection, self._ingestion.name)
            days = volume.last_days(connection, self._ingestion.name, CHARTED_DAYS)
        if batch is None or batch.status != "COMMITTED":
            why = f"{batch.status}: {batch.note or 'see its log'}" if batch else "unknown"
            self._problems.append(f"Batch {claimed.batch_id} is {why}")
            return
        columns = () if version is None else columns_from_json(version.fields)
        context, key = self._context, asset_key(self._ingestion)
        location = location_of(context.run)
        materializations = reporting.materializations(batch.files, columns, days)
        if materializations:  # of the newest, as the columns are
            partition_key, metadata = materializations[-1]
            used = usage_metadata(self._services, batch.batch_id)
            materializations[-1] = (partition_key, {**metadata, **used})
        events.log_materializations(context, key, materializations)
        observations = reporting.observations(self._ingestion, batch.files, location)
        events.log_observations(context, key, observations)
        evaluations = check_reporting.check_evaluations(self._ingestion, batch.files, location)
        events.log_check_evaluations(context, evaluations)
        if of_table := table_evaluations(self._services, self._ingestion):
            events.log_check_evaluations(context, of_table)
        with self._services.ledger.transaction() as connection:
            reports.mark_reported(connection, [batch.batch_id])
        said = {"ingestion": self._ingestion.name, "batch_id": batch.batch_id}
        told = len(batch.files)
        logger.info(
            "Told Dagster of %s files", told, extra={**said, "run_id": batch.run_id, "files": told}
        )
        reached(Step.REPORTED, batch.batch_id)
        self._told.update(file.key for file in batch.files)
        well = ("SUCCESS", "ROUTED")
        self._bad += [file for file in batch.files if file.outcome not in well]

    def problem(self, error: Exception | None) -> str | None:
        """Why the run has to fail; keys that it left alone and that are in the table stay green.

        `error` is what kept it from going on.

        Raises:
            LedgerError: nobody knows which keys are in the table.
        """
        left = [key for key in self._keys if key not in self._held]
        problems = [*self._problems, reporting.failure_of(self._ingestion, self._bad)]
        if error is not None:
            problems.insert(0, str(error))
        elif left and is_asked_by_person(self._context.run):
            problems.append(_left_out(left))
        untold = [key for key in self._keys if key not in self._told]
        problems.append(self._still_bad(untold))
        found = [problem for problem in problems if problem]
        if not found:
            return None
        with self._services.ledger.transaction() as connection:
            committed = reports.committed_reports(connection, self._ingestion.name, untold)
        events.log_materializations(
            self._context, asset_key(self._ingestion), reporting.materializations(committed)
        )
        return "\n".join(found)

    def _still_bad(self, keys: Sequence[str]) -> str | None:
        """What is wrong with files that this run left alone; one that succeeds would grey them."""
        with self._services.ledger.transaction() as connection:
            found = lookup.files(connection, self._ingestion.name, keys=keys) if keys else []
        bad = [row for row in found if row.status in ("FAILED", "DEAD_LETTER", "PARKED")]
        return reporting.first_lines(f"{row.status} {row.key}: {row.error}" for row in bad) or None


def _left_out(keys: Sequence[str]) -> str:
    shown = ", ".join(partition_key_of(key) for key in keys[:20])
    more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
    return (
        f"{len(keys)} of the files asked for were left alone, because another batch holds them or "
        f"the ledger does not know them: {shown}{more}. Ask again when that batch is done."
    )

"""The job that compares ledger and tables, for Dagster's launchpad."""

from collections import Counter
from typing import Any

import dagster as dg
from pydantic import Field

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.reconciliation import Reconciliation
from ingest_assets.engine.reconciliation_text import headline, report_lines
from ingest_assets.errors import IngestError
from ingest_assets.orchestration.names import INGESTION_TAG
from ingest_assets.orchestration.reconciling import mend_all, reconcile_all

RECONCILE_JOB = "reconcile"
RECONCILE_OP = "compare"
_SAMPLE = 20


class ReconcileConfig(dg.Config):
    """What is compared, and whether it is mended."""

    ingestion: str = Field(description="The name of the ingestion.")
    plan_only: bool = Field(
        default=True,
        description="Say what disagrees, and change nothing; false: mend what can be mended.",
    )
    with_bucket: bool = Field(
        default=True, description="List the source too; false: leave it alone."
    )
    by: str = Field(
        default="",
        description="Who asks. Left empty, this run is named, as Dagster knows no users.",
    )


def build_reconcile_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Compares the ledger with tables, bucket and Dagster, and mends what can be mended safely."""

    @dg.op(
        name=RECONCILE_OP,
        description=(
            "Says in the log and in the metadata of the output what disagrees, and mends what can "
            "be mended if `plan_only` is false. Fails when disagreements are left."
        ),
        out=dg.Out(dg.Nothing),
    )
    def compare(context: dg.OpExecutionContext, config: ReconcileConfig) -> None:
        context.instance.add_run_tags(context.run_id, {INGESTION_TAG: config.ingestion})
        metadata: dict[str, Any] = {}
        try:
            services = deployment()
            found = _compared(context, config, services)
            metadata |= _metadata(found)
            left, outcome = _mended(context, config, services, found)
            refused = f"{outcome}. {_next_step(is_plan=config.plan_only)}" if left else None
        except IngestError as error:
            refused = str(error)
        if refused is not None:  # outside of `except`, so that no traceback stands in the way
            raise dg.Failure(refused, metadata=metadata, allow_retries=False)
        context.add_output_metadata({"outcome": outcome, **metadata})

    @dg.job(
        name=RECONCILE_JOB,
        description=(
            "Compares what the ledger says of an ingestion with its tables, its bucket and "
            "Dagster. With `plan_only: false` it mends what can be mended safely. "
            "`ingest-assets reconcile` does the same."
        ),
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},  # what is left needs a person
    )
    def reconcile() -> None:
        compare()

    return reconcile


def _compared(
    context: dg.OpExecutionContext, config: ReconcileConfig, services: Deployment
) -> Reconciliation:
    return reconcile_all(
        services,
        services.ingestion(config.ingestion),
        context.instance,
        with_bucket=config.with_bucket,
    )


def _metadata(found: Reconciliation) -> dict[str, Any]:
    """The report, and how many disagreements there are of each kind."""
    report = "\n".join(report_lines(found, _SAMPLE))
    counts = Counter(str(one.kind) for one in found.disagreements)
    return {"report": dg.MetadataValue.md(f"```\n{report}\n```"), **counts}


def _mended(
    context: dg.OpExecutionContext,
    config: ReconcileConfig,
    services: Deployment,
    found: Reconciliation,
) -> tuple[int, str]:
    """How many disagreements are left, and the outcome in a line."""
    context.log.info("\n".join(report_lines(found, _SAMPLE)))
    if config.plan_only:
        return len(found.disagreements), headline(found)
    by = config.by or f"Dagster run {context.run_id}"
    mended = len(mend_all(services, found, context.instance, by))
    left = len(found.disagreements) - mended
    return left, f"{headline(found)}; {mended} mended, {left} left"


def _next_step(*, is_plan: bool) -> str:
    if is_plan:
        return "Nothing was changed. To mend what can be, launch this with plan_only: false."
    return "The log says what to do about those that are left."

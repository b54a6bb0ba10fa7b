"""The last step of a run: Dagster is told what became of each file, then the run fails or not.

Every colour follows from the ledger: the outcomes of the batch that the run claimed, and for keys
that it left alone what earlier batches did with them.
"""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.steps import Step, reached
from ingest_assets.files.partition_key import key_of, partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import lookup, reports, schema_versions
from ingest_assets.ledger.reports import BatchReport
from ingest_assets.orchestration import events, reporting
from ingest_assets.orchestration.names import (
    ERROR_TAG,
    IO_MANAGER_KEY,
    asset_key,
    is_asked_by_person,
)
from ingest_assets.schema.types import columns_from_json

DeploymentSource = Callable[[], Deployment]


def report_op(
    ingestion: Ingestion, deployment: DeploymentSource, specs: Sequence[dg.AssetCheckSpec]
) -> dg.OpDefinition:
    """Dagster is told what the ledger says became of each file of the run's batch."""
    # Downstream assets load what they depend on by the I/O manager that is named here.
    outs = {"result": dg.Out(dg.Nothing, is_required=False, io_manager_key=IO_MANAGER_KEY)}
    outs |= {spec.name: dg.Out(dg.Nothing, is_required=False) for spec in specs}

    @dg.op(
        name=f"report_{ingestion.name}",
        description="Materializes the partitions whose rows are in the table; fails for others.",
        ins={"committed": dg.In(dg.Nothing)},
        out=outs,
    )
    def report(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        services = deployment()
        with services.ledger.transaction() as connection:
            batch = reports.report_of_run(connection, context.run_id)
        done = _report_batch(context, ingestion, services, batch)
        problem = _problem(context, ingestion, services, batch, done)
        if problem is not None:
            raise dg.Failure(description=problem, allow_retries=False)
        # An output of the asset would mark every key of the range, so there is none.
        if len(context.run.asset_selection or ()) > 1:
            context.log.warning("What is downstream is skipped in this run; materialize it next.")
        yield from ()

    return report


def _report_batch(
    context: dg.OpExecutionContext,
    ingestion: Ingestion,
    services: Deployment,
    batch: BatchReport | None,
) -> frozenset[str]:
    """Dagster has the batch's outcomes; the keys that are true of it now."""
    if batch is None or batch.status != "COMMITTED":
        return frozenset()
    with services.ledger.transaction() as connection:
        version = schema_versions.active(connection, ingestion.name)
    columns = () if version is None else columns_from_json(version.fields)
    key = asset_key(ingestion)
    events.log_materializations(context, key, reporting.materializations(batch.files, columns))
    events.log_observations(context, key, reporting.observations(batch.files))
    events.log_check_evaluations(context, reporting.check_evaluations(ingestion, batch.files))
    with services.ledger.transaction() as connection:
        reports.mark_reported(connection, [batch.batch_id])
    reached(Step.REPORTED, batch.batch_id)
    return frozenset(file.key for file in batch.files)


def _problem(
    context: dg.OpExecutionContext,
    ingestion: Ingestion,
    services: Deployment,
    batch: BatchReport | None,
    done: frozenset[str],
) -> str | None:
    """Why the run has to fail; keys that it left alone and that are in the table stay green."""
    untouched = [key for key in map(key_of, context.partition_keys) if key not in done]
    problems = [_own_error(context)]
    if batch is not None and batch.status == "COMMITTED":
        problems.append(reporting.failure_of(ingestion, batch.files))
    elif batch is not None:
        problems.append(f"Batch {batch.batch_id} is {batch.status}: {batch.note or 'see its log'}")
    if untouched and is_asked_by_person(context.run) and problems[0] is None:
        problems.append(_left_out(untouched))
    problems.append(_still_bad(services, ingestion, untouched))
    found = [problem for problem in problems if problem]
    if not found:
        return None
    with services.ledger.transaction() as connection:
        committed = reports.committed_reports(connection, ingestion.name, untouched)
    events.log_materializations(
        context, asset_key(ingestion), reporting.materializations(committed)
    )
    return "\n".join(found)


def _own_error(context: dg.OpExecutionContext) -> str | None:
    """Why this run could claim no batch; tags are inherited, so another run's is none of ours."""
    run = context.instance.get_run_by_id(context.run_id)
    run_id, _, error = (run.tags.get(ERROR_TAG, "") if run is not None else "").partition(" ")
    return error if run_id == context.run_id else None


def _still_bad(services: Deployment, ingestion: Ingestion, keys: Sequence[str]) -> str | None:
    """What is wrong with files that this run left alone; a run that succeeds would grey them."""
    with services.ledger.transaction() as connection:
        found = lookup.files(connection, ingestion.name, keys=keys) if keys else []
    bad = [row for row in found if row.status in ("FAILED", "DEAD_LETTER", "PARKED")]
    return "\n".join(f"  {row.status} {row.key}: {row.error}" for row in bad[:20]) or None


def _left_out(keys: Sequence[str]) -> str:
    shown = ", ".join(partition_key_of(key) for key in keys[:20])
    more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
    return (
        f"{len(keys)} of the files asked for were left alone, because another batch holds them or "
        f"the ledger does not know them: {shown}{more}. Ask again when that batch is done."
    )

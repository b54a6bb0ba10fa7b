"""The job that keeps an ingestion's tables, for Dagster's launchpad, and the schedules of it."""

from collections.abc import Iterator, Sequence

import dagster as dg
from pydantic import Field

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine import maintenance
from ingest_assets.engine.chores import Chore, MaintenanceReport
from ingest_assets.engine.maintenance_text import outcome, report_lines
from ingest_assets.ingestion import Ingestion
from ingest_assets.maintenance_errors import MaintenanceIncompleteError, MaintenanceRefusedError
from ingest_assets.orchestration.health_events import observations, report_metadata
from ingest_assets.orchestration.names import INGESTION_TAG, LANE_TAG
from ingest_assets.orchestration.planned_job import plan_then_act

MAINTAIN_JOB = "maintain"
MAINTAIN_OP = "keep"


class MaintainConfig(dg.Config):
    """Whose tables are kept, and what is done for them."""

    ingestion: str = Field(description="The name of the ingestion.")
    plan_only: bool = Field(
        default=True, description="Show what would be done, and change nothing; false: do it."
    )
    chores: list[str] = Field(
        default_factory=lambda: [chore.value for chore in Chore],
        description=f"Some of {', '.join(Chore)}.",
    )


def maintain_config(ingestion: str) -> dict[str, object]:
    """The run config with which all is done for the ingestion."""
    return {"ops": {MAINTAIN_OP: {"config": {"ingestion": ingestion, "plan_only": False}}}}


def maintain_tags(ingestion: str) -> dict[str, str]:
    """Those of its runs: one at a time for an ingestion, beside its other runs."""
    return {INGESTION_TAG: ingestion, LANE_TAG: f"{ingestion}/maintenance"}


def build_maintain_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Keeps the tables of an ingestion, and observes their health on its asset."""

    @dg.op(
        name=MAINTAIN_OP,
        description=(
            "Says in the log and in the metadata of the output what would be done, and does it if "
            "`plan_only` is false. Fails when a table could not be seen to."
        ),
        out=dg.Out(dg.Nothing),
    )
    def keep(context: dg.OpExecutionContext, config: MaintainConfig) -> None:
        context.instance.add_run_tags(context.run_id, maintain_tags(config.ingestion))

        def plan() -> MaintenanceReport:
            services = deployment()
            return maintenance.plan(services, services.ingestion(config.ingestion), _chores(config))

        def act(plan: MaintenanceReport) -> str:
            done = maintenance.maintain(deployment(), plan.ingestion, _chores(config))
            context.log.info("What was done:\n%s", "\n".join(report_lines(done)))
            for observation in observations(done):
                context.log_event(observation)
            if done.has_failed:
                raise MaintenanceIncompleteError("\n".join(report_lines(done)))
            return outcome(done)

        plan_then_act(
            context,
            plan,
            lines=report_lines,
            metadata=report_metadata,
            act=None if config.plan_only else act,
        )

    @dg.job(
        name=MAINTAIN_JOB,
        description=(
            "Puts small data files together, expires old snapshots, deletes orphans and rewrites "
            "manifests of an ingestion's tables, beside its runs; changes no row. With "
            "`plan_only: false` it acts. `ingest-assets maintain` does the same."
        ),
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},  # the next one does what is left
    )
    def maintain() -> None:
        keep()

    return maintain


def _chores(config: MaintainConfig) -> tuple[Chore, ...]:
    try:
        return tuple(Chore(name) for name in config.chores)
    except ValueError as error:
        raise MaintenanceRefusedError(
            f"{error}; the chores are {', '.join(Chore)}. Nothing was changed."
        ) from error


def build_maintenance_schedules(
    ingestions: Sequence[Ingestion], job: dg.JobDefinition
) -> Iterator[dg.ScheduleDefinition]:
    """One for each ingestion that declares when; on from the start, as it was asked for in YAML."""
    for ingestion in ingestions:
        declared = ingestion.maintenance.schedule
        if declared is not None:
            yield dg.ScheduleDefinition(
                name=f"{ingestion.name}_maintenance",
                description=f"Keeps the tables of {ingestion.name}; changes no row of them.",
                job=job,
                cron_schedule=declared.cron,
                execution_timezone=declared.timezone,
                run_config=maintain_config(ingestion.name),
                tags=maintain_tags(ingestion.name),
                default_status=dg.DefaultScheduleStatus.RUNNING,
            )


def observe(report: MaintenanceReport, instance: dg.DagsterInstance) -> None:
    """The instance has the observations of a maintenance that was no run of it."""
    for observation in observations(report):
        instance.report_runless_asset_event(observation)

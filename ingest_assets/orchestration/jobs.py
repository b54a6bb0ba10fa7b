"""The jobs of people who operate the deployment, for Dagster's launchpad."""

from typing import Literal

import dagster as dg
from pydantic import Field

from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.schema_decisions import plan_resolution
from ingest_assets.engine.schema_plan_text import plan_lines
from ingest_assets.engine.schema_work import carry_out
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant, Expression

RESOLVE_JOB = "resolve_schema_change"


class ResolveConfig(dg.Config):
    """What is decided about which version; the failed check of a parked file has it ready."""

    ingestion: str
    version: int
    resolution: Literal["accept", "merge", "ignore", "backfill", "new_table", "reject"]
    note: str = ""
    by: str = "dagster"
    plan_only: bool = False
    defaults: dict[str, str] = Field(default_factory=dict)
    expressions: dict[str, str] = Field(default_factory=dict)


def resolve_config(ingestion: str, version: int, resolution: str = "merge") -> dict[str, object]:
    """The run config that decides about the version, to paste into the launchpad."""
    chosen = {"ingestion": ingestion, "version": version, "resolution": resolution, "note": ""}
    return {"ops": {RESOLVE_OP: {"config": chosen}}}


RESOLVE_OP = "resolve"


def build_resolve_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Decides about a PENDING schema version; its parked files go on at the next tick."""

    @dg.op(name=RESOLVE_OP, description="Shows the plan in the log, then carries it out.")
    def resolve(context: dg.OpExecutionContext, config: ResolveConfig) -> None:
        services = deployment()
        ingestion = services.ingestion(config.ingestion)
        fills: dict[str, Constant | Expression] = {}
        fills |= {column: Constant(value) for column, value in config.defaults.items()}
        fills |= {column: Expression(sql) for column, sql in config.expressions.items()}
        resolution = Resolution(config.resolution)
        plan = plan_resolution(services, ingestion, config.version, resolution, fills)
        context.log.info("\n".join(plan_lines(plan)))
        if config.plan_only:
            context.log.info("Nothing was changed, as plan_only asks for.")
            return
        version = carry_out(services, plan, config.by, config.note)
        context.log.info("Done: version %s, %s.", version, config.resolution)

    @dg.job(
        name=RESOLVE_JOB,
        description=(
            "Decides about a schema change that parked files wait for. The config is in the "
            "failed schema_compatible check of any of the files. Set plan_only to see what would "
            "happen."
        ),
        executor_def=dg.in_process_executor,
    )
    def resolve_schema_change() -> None:
        resolve()

    return resolve_schema_change

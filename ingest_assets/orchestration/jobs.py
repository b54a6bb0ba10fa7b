"""The jobs of people who operate the deployment, for Dagster's launchpad."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from ingest_assets.decision_errors import DecisionRefusedError
from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.decision_plan import DecisionPlan, plan_resolution
from ingest_assets.engine.decision_text import done_line, plan_lines
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.orchestration.names import INGESTION_TAG, LANE_TAG
from ingest_assets.orchestration.planned_job import plan_then_act
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant, Expression

RESOLVE_JOB = "resolve_schema_change"
RESOLVE_OP = "resolve"
VERSION_TAG = "ingest/schema_version"
RESOLUTION_TAG = "ingest/resolution"


class ResolveConfig(dg.Config):
    """What is decided about which version; the failed check of a parked file has it ready."""

    ingestion: str = Field(description="The name of the ingestion.")
    version: int = Field(description="The PENDING schema version that is decided about.")
    resolution: Literal["accept", "merge", "ignore", "backfill", "new_table", "reject"] = Field(
        description=" ".join(f"{choice}: {choice.meaning}." for choice in Resolution)
    )
    note: str = Field(default="", description="Why; it stays with the version.")
    by: str = Field(
        default="",
        description="Who decides. Left empty, this run is named, as Dagster knows no users.",
    )
    plan_only: bool = Field(
        default=True, description="Show what would happen, and change nothing; false: do it."
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description=(
            "For backfill: by new column, the value that the rows get which are in the table, as "
            "in {channel: web}."
        ),
    )
    expressions: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "For backfill: the same as SQL over the row, as duckdb reads it, as in "
            "{channel: \"case when is_gift then 'shop' else 'web' end\"}."
        ),
    )

    @property
    def fills(self) -> dict[str, Constant | Expression]:
        """The values by column.

        Raises:
            DecisionRefusedError: a column has two.
        """
        both = sorted({*self.defaults} & {*self.expressions})
        if both:
            raise DecisionRefusedError(
                f"{', '.join(both)} has a value in defaults and in expressions. Nothing was "
                "changed. Give it one."
            )
        constants = {column: Constant(value) for column, value in self.defaults.items()}
        return {**constants, **{c: Expression(sql) for c, sql in self.expressions.items()}}


def resolve_config(ingestion: str, version: int) -> dict[str, object]:
    """The run config that shows the plan for the version, and decides once `plan_only` is false."""
    chosen = {
        "ingestion": ingestion,
        "version": version,
        "resolution": Resolution.MERGE.value,
        "note": "",
        "by": "",
        "plan_only": True,
    }
    return {"ops": {RESOLVE_OP: {"config": chosen}}}


def build_resolve_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Decides about a PENDING schema version; its parked files go on at the next tick."""

    @dg.op(
        name=RESOLVE_OP,
        description=(
            "Makes the plan, which is in the log and in the metadata of the output, and carries it "
            "out if `plan_only` is false. Fails, with the reason, when it is refused."
        ),
        out=dg.Out(dg.Nothing),
    )
    def resolve(context: dg.OpExecutionContext, config: ResolveConfig) -> None:
        _tag_run(context, config)

        def plan() -> DecisionPlan:
            services = deployment()
            ingestion = services.ingestion(config.ingestion)
            return plan_resolution(
                services, ingestion, config.version, Resolution(config.resolution), config.fills
            )

        def act(plan: DecisionPlan) -> str:
            by = config.by or f"Dagster run {context.run_id}"
            return done_line(plan, carry_out(deployment(), plan, by, config.note))

        plan_then_act(
            context,
            plan,
            lines=plan_lines,
            metadata=_metadata,
            act=None if config.plan_only else act,
        )

    @dg.job(
        name=RESOLVE_JOB,
        description=(
            "Decides about a schema change that parked files wait for. The failed "
            "`schema_compatible` check of any of these files has the config, ready to launch: it "
            "shows the plan, and with `plan_only: false` carries it out. What was decided is in "
            "`ingest-assets schema list`."
        ),
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},  # a refusal stays one
    )
    def resolve_schema_change() -> None:
        resolve()

    return resolve_schema_change


def _tag_run(context: dg.OpExecutionContext, config: ResolveConfig) -> None:
    """The run is among those of its ingestion."""
    context.instance.add_run_tags(
        context.run_id,
        {
            INGESTION_TAG: config.ingestion,
            LANE_TAG: config.ingestion,
            VERSION_TAG: str(config.version),
            RESOLUTION_TAG: config.resolution,
        },
    )


def _metadata(plan: DecisionPlan) -> dict[str, Any]:
    return {"plan": dg.MetadataValue.md(_markdown(plan_lines(plan)))}


def _markdown(lines: Iterable[str]) -> str:
    """The plan's DDL as a block of code, its other indented lines as a list."""
    parts: list[str] = []
    for is_indented, group in groupby(lines, lambda line: line.startswith("  ")):
        block = [line.removeprefix("  ") for line in group]
        if is_indented and block[0].startswith("ALTER TABLE"):
            parts += ["```sql", *block, "```", ""]
        elif is_indented:
            parts += [*(f"- {line}" for line in block), ""]
        else:
            parts += [f"{line}\n" for line in block]
    return "\n".join(parts)

"""The job that has files read again, for Dagster's launchpad."""

from typing import Any

import dagster as dg
from pydantic import Field

from ingest_assets.decision_errors import ReplayRefusedError
from ingest_assets.declaration.age import parse_age
from ingest_assets.deployment import Deployment, DeploymentSource
from ingest_assets.engine.replay import Choice, ReplayPlan, plan_replay, replay
from ingest_assets.engine.replay_text import done_line, plan_lines
from ingest_assets.ledger.replays import REPLAYABLE
from ingest_assets.ledger.states import FileStatus
from ingest_assets.orchestration.names import INGESTION_TAG
from ingest_assets.orchestration.planned_job import plan_then_act

REPLAY_JOB = "replay_files"
REPLAY_OP = "replay"


class ReplayConfig(dg.Config):
    """Which files of which ingestion; at least one condition, and all that are given must hold."""

    ingestion: str = Field(description="The name of the ingestion.")
    statuses: list[str] = Field(
        default_factory=list,
        description=(
            f"Files in these states, of {', '.join(REPLAYABLE)}. Left empty: FAILED, DEAD_LETTER "
            "and PARKED."
        ),
    )
    error_type: str = Field(
        default="", description="Files whose error is of this type, as in CorruptFileError."
    )
    error: str = Field(default="", description="Files whose error contains this text.")
    key: str = Field(default="", description="A glob that the key below the prefix matches.")
    older_than: str = Field(
        default="", description="Files whose state has not changed for so long, as in 2d or 12h."
    )
    newer_than: str = Field(
        default="", description="Files whose state has changed within this time, as in 1h or 15m."
    )
    rejected_rows: bool = Field(
        default=False,
        description="Files that have rejected rows beside those in the table, in any state.",
    )
    all_files: bool = Field(default=False, description="No other condition than the state.")
    note: str = Field(default="", description="Why; it stays in the audit.")
    by: str = Field(
        default="",
        description="Who asks for it. Left empty, this run is named, as Dagster knows no users.",
    )
    plan_only: bool = Field(
        default=True, description="Show what would be read again, and change nothing; false: do it."
    )

    @property
    def choice(self) -> Choice:
        """The conditions that are given.

        Raises:
            ReplayRefusedError: an age or a state is none.
        """
        odd = sorted({*self.statuses} - {*REPLAYABLE})
        if odd:
            raise ReplayRefusedError(
                f"statuses has {', '.join(odd)}; files are read again that are "
                f"{', '.join(REPLAYABLE)}. Nothing was changed."
            )
        try:
            older, newer = (parse_age(a) if a else None for a in (self.older_than, self.newer_than))
        except ValueError as error:
            raise ReplayRefusedError(f"{error}. Nothing was changed.") from error
        return Choice(
            statuses=tuple(FileStatus(status) for status in self.statuses),
            error_type=self.error_type or None,
            error=self.error or None,
            key=self.key or None,
            older_than=older,
            newer_than=newer,
            has_rejected_rows=self.rejected_rows,
            all_files=self.all_files,
        )


def build_replay_job(deployment: DeploymentSource = Deployment.from_env) -> dg.JobDefinition:
    """Files wait to be read again; the next tick of the sensor asks for their runs."""

    @dg.op(
        name=REPLAY_OP,
        description=(
            "Makes the plan, which is in the log and in the metadata of the output, and carries it "
            "out if `plan_only` is false. Fails, with the reason, when it is refused."
        ),
        out=dg.Out(dg.Nothing),
    )
    def replay_op(context: dg.OpExecutionContext, config: ReplayConfig) -> None:
        context.instance.add_run_tags(context.run_id, {INGESTION_TAG: config.ingestion})

        def plan() -> ReplayPlan:
            services = deployment()
            return plan_replay(services, services.ingestion(config.ingestion), config.choice)

        def act(plan: ReplayPlan) -> str:
            by = config.by or f"Dagster run {context.run_id}"
            return done_line(plan, replay(deployment(), plan, by, config.note))

        plan_then_act(
            context,
            plan,
            lines=plan_lines,
            metadata=_metadata,
            act=None if config.plan_only else act,
        )

    @dg.job(
        name=REPLAY_JOB,
        description=(
            "Has files read again: dead letters after a fix, failed files without waiting, parked "
            "ones, or files that are in the table, whose rows are replaced. Shows the plan, and "
            "with `plan_only: false` carries it out."
        ),
        executor_def=dg.in_process_executor,
        tags={"dagster/max_retries": "0"},  # a refusal stays one
    )
    def replay_files() -> None:
        replay_op()

    return replay_files


def _metadata(plan: ReplayPlan) -> dict[str, Any]:
    lines = [
        line.replace("  ", "- ", 1) if line.startswith("  ") else f"{line}\n"
        for line in plan_lines(plan)
    ]
    return {"plan": dg.MetadataValue.md("\n".join(lines)), "files": plan.files}

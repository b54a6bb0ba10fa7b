"""What a person's process does when it decides about a schema; given to `worker.start`."""

from collections.abc import Callable
from functools import partial

from ingest_assets.deployment import Deployment
from ingest_assets.engine.decision_plan import DecisionPlan, plan_resolution
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import registry
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant, Expression
from ingest_assets_tests.chaos.worker import Work

Fills = dict[str, Constant | Expression]


def decision(resolution: str, fills: Fills | None = None, actor: str = "ada") -> Work:
    """Work that decides so about the first version that waits."""
    return partial(_decide, resolution=resolution, fills=fills or {}, actor=actor)


def change(plan: Callable[..., DecisionPlan], *arguments: str) -> Work:
    """Work that makes a change which a person asks for by itself (`engine.column_changes`)."""
    return partial(_change, plan=plan, arguments=arguments)


def _change(
    deployment: Deployment,
    ingestion: Ingestion,
    plan: Callable[..., DecisionPlan],
    arguments: tuple[str, ...],
) -> None:
    carry_out(deployment, plan(deployment, ingestion, *arguments), "ada", "asked for")


def _decide(
    deployment: Deployment, ingestion: Ingestion, resolution: str, fills: Fills, actor: str
) -> None:
    with deployment.ledger.transaction() as connection:
        rows = registry.versions(connection, ingestion.name)
    version = next(row.version for row in rows if row.status == "PENDING")
    plan = plan_resolution(deployment, ingestion, version, Resolution(resolution), fills)
    carry_out(deployment, plan, actor, f"{resolution} it is")

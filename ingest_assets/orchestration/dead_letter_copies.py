"""The task of upkeep that copies dead letters."""

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine import dead_letters
from ingest_assets.ingestion import Ingestion
from ingest_assets.orchestration.deadline import Deadline


def copy_dead_letters(
    deployment: Deployment,
    ingestion: Ingestion,
    _instance: dg.DagsterInstance,
    deadline: Deadline,
) -> str | None:
    """The dead letters that are due are copied, or tried again later."""
    done = dead_letters.copy_dead_letters(deployment, ingestion, lambda: deadline.is_over)
    parts = [
        f"{count} {what}"
        for count, what in (
            (done.copied, "dead letters copied"),
            (done.reported, "dead letters reported without a copy"),
            (done.failed, "dead letters not copied, tried again later"),
        )
        if count
    ]
    return ", ".join(parts) or None

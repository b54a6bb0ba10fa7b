"""Upkeep of sources: what `source.after_success` declares, done with files that are ingested."""

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.engine.finished_files import finish_files
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.standing import standing
from ingest_assets.orchestration.deadline import Deadline


def finish_sources(
    deployment: Deployment,
    ingestion: Ingestion,
    _instance: dg.DagsterInstance,
    deadline: Deadline,
) -> str | None:
    """Objects of ingested files are tagged, moved or deleted as far as the deadline allows.

    None of an ingestion that is paused: who paused it may not trust its rows.
    """
    with deployment.ledger.transaction() as connection:
        if standing(connection, ingestion.name).is_paused:
            return None
    return str(finish_files(deployment, ingestion, lambda: deadline.is_over)) or None

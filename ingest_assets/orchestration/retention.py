"""What grows old leaves: partitions their dynamic set, attempts the table that work reads.

Tasks of upkeep. The ledger keeps all of it, and `ingest-assets files` finds it as before.
"""

from datetime import timedelta

import dagster as dg

from ingest_assets.deployment import Deployment
from ingest_assets.files.partition_key import key_of, partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import archive, window
from ingest_assets.orchestration.deadline import Deadline
from ingest_assets.orchestration.live_partitions import remove_partitions
from ingest_assets.orchestration.named_partitions import named_partitions

KEYS_AT_ONCE = 1000
BATCHES_AT_ONCE = 20


def retire_partitions(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, deadline: Deadline
) -> str | None:
    """The dynamic set holds no partition that is too old or too many, but for those in use.

    Only files that are SUCCESS, and only keys that no open run or backfill names, leave it, the
    oldest first. What Dagster stored about them stays. Their rows in the ledger are locked
    meanwhile, so that no tick plans one of them in between; cut off before the ledger knows, it
    is done again.
    """
    retired = 0
    while not deadline.is_over:
        gone = _retire_some(deployment, ingestion, instance, deadline)
        retired += gone
        if gone < KEYS_AT_ONCE:
            break
    return f"{retired} partitions left the window of live ones" if retired else None


def _retire_some(
    deployment: Deployment, ingestion: Ingestion, instance: dg.DagsterInstance, deadline: Deadline
) -> int:
    name, retain = ingestion.name, timedelta(days=ingestion.retain_partitions_days)
    with deployment.ledger.transaction() as connection:
        due = window.due(connection, name, retain=retain, max_live=ingestion.max_live_partitions)
    if due.is_nothing:
        return 0
    named = named_partitions(instance, instance.get_dynamic_partitions(name))
    with deployment.ledger.transaction() as connection:
        ripe = window.lock_ripe(
            connection,
            name,
            retain=retain,
            surplus=due.surplus,
            kept=[key_of(key) for key in named],
            at_most=KEYS_AT_ONCE,
        )
        leaving = {partition_key_of(key): file_id for key, file_id in ripe.items()}
        gone = remove_partitions(instance, name, list(leaving), deadline)
        window.retire(connection, [leaving[key] for key in gone])
    return len(gone)


def archive_attempts(
    deployment: Deployment, ingestion: Ingestion, _instance: dg.DagsterInstance, deadline: Deadline
) -> str | None:
    """Attempts of batches that finished longer ago than the retention are in the archive."""
    retain = timedelta(days=ingestion.retain_partitions_days)
    archived = 0
    while not deadline.is_over:
        with deployment.ledger.transaction() as connection:
            batches, attempts = archive.archive_attempts(
                connection, ingestion.name, retain=retain, at_most=BATCHES_AT_ONCE
            )
        archived += attempts
        if batches < BATCHES_AT_ONCE:
            break
    return f"{archived} attempts went to the archive" if archived else None

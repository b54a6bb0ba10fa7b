"""The batches that the tables name, compared with those of the ledger, and those left half-done."""

from collections.abc import Iterator

from ingest_assets.deployment import Deployment
from ingest_assets.engine.compared_tables import ComparedTables
from ingest_assets.engine.disagreement import Disagreement, Kind, Remedy
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import recorded


def compare_batches(
    deployment: Deployment, ingestion: Ingestion, tables: ComparedTables
) -> Iterator[Disagreement]:
    """Snapshots of batches that the ledger does not know or gave up, and batches nobody ends.

    One that the ledger has and no table any more is no disagreement: its snapshot may be expired.

    Raises:
        LedgerError: Postgres does not answer.
    """
    in_main = {
        batch_id: (route, state.identifier)
        for route, state in tables.main.items()
        for batch_id in state.batches.in_main
    }
    with deployment.ledger.transaction() as connection:
        statuses = recorded.batch_statuses(connection, list(in_main))
        lapsed = recorded.lapsed_batches(connection, ingestion.name)
    for batch_id, (route, name) in in_main.items():
        status = statuses.get(batch_id)
        if status is None:
            cause = (
                f"{name} has a snapshot of batch {batch_id}, which the ledger does not have; it is "
                "older than the table, restored from a backup perhaps. Restore a newer one"
            )
            yield Disagreement(Kind.BATCH_UNKNOWN, cause, None, batch_id=batch_id, table=route)
        elif status == "RELEASED":
            cause = (
                f"{name} has batch {batch_id}, whose worker made the table after it was given up"
            )
            yield Disagreement(
                Kind.BATCH_RELEASED, cause, Remedy.RECOVER, batch_id=batch_id, table=route
            )
    for batch_id, moment in lapsed.items():
        cause = (
            f"the lease of batch {batch_id} ran out {moment:%Y-%m-%d %H:%M:%S %Z}; its worker is "
            "gone, and no tick or run of the ingestion has looked since"
        )
        yield Disagreement(Kind.BATCH_LAPSED, cause, Remedy.RECOVER, batch_id=batch_id)

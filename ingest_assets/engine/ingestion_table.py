"""The table of an ingestion, opened to be written."""

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.tables.layout import layout_of
from ingest_assets.tables.lineage import ORDERED_LINEAGE
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.target import Target, open_target


def open_table(
    deployment: Deployment,
    ingestion: Ingestion,
    *,
    must_exist: bool,
    route: str = "",
    owner: Owner | None = None,
) -> Target:
    """The ingestion's table, if it may write to it; raises as `tables.target.open_target`.

    The layout is declared for the declared table. Another one (`route` as in `ledger.tables`) was
    made with what it had in common with that, and keeps it whatever columns both get. `owner` is
    the deployment's, if it is not given.
    """
    target = open_target(
        deployment.catalog,
        ingestion.table.identifier,
        layout_of(ingestion.table),
        owner or deployment.owner(ingestion),
        must_exist=must_exist,
        keeps_spec=bool(route),
    )
    if ingestion.table.write_mode != "append":
        target.lineage = ORDERED_LINEAGE
    return target

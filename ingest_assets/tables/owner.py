"""Who a table belongs to, as the table itself says."""

from dataclasses import dataclass

from pyiceberg.table import Table

from ingest_assets.errors import TableOwnershipError
from ingest_assets.tables.lineage import INGESTION_PROPERTY, LEDGER_PROPERTY


@dataclass(frozen=True)
class Owner:
    """Who may write to the table: one declaration of one deployment."""

    ingestion: str
    ledger_id: str

    def properties(self) -> dict[str, str]:
        """What the table says of it."""
        return {INGESTION_PROPERTY: self.ingestion, LEDGER_PROPERTY: self.ledger_id}

    def check(self, identifier: str, table: Table) -> None:
        """The table is this owner's, or nobody's yet.

        Raises:
            TableOwnershipError: it belongs to another declaration or deployment.
        """
        for name, expected in self.properties().items():
            actual = table.properties.get(name, expected)
            if actual != expected:
                other = "declaration" if name == INGESTION_PROPERTY else "deployment"
                raise TableOwnershipError(
                    f"The table {identifier} belongs to another {other} ({name} is {actual!r}, "
                    f"here it is {expected!r}). Give this declaration a table of its own."
                )

"""What is in the Iceberg table that a program has left in a folder."""

from dataclasses import dataclass
from pathlib import Path

from pyiceberg.table import StaticTable


@dataclass(frozen=True)
class LeftTable:
    """Rows as a reader counts them, and how many commits they came in."""

    rows: int
    commits: int


def left_table(folder: Path) -> LeftTable | None:
    """The one table below the folder by its newest metadata; None if there is none.

    No catalog is asked, because floe and dlt have none that outlives them. Rows are read from the
    data files, of the column that costs least; no manifest's word is taken for them.
    """
    metadata = sorted(folder.rglob("*.metadata.json"), key=lambda path: path.stat().st_mtime_ns)
    if not metadata:
        return None
    tables = {path.parent for path in metadata}
    if len(tables) > 1:
        raise ValueError(f"{folder} has {len(tables)} tables: {sorted(map(str, tables))}")
    table = StaticTable.from_metadata(str(metadata[-1]))
    column = min(table.schema().fields, key=lambda field: not field.field_type.is_primitive).name
    batches = table.scan(selected_fields=(column,)).to_arrow_batch_reader()
    return LeftTable(sum(batch.num_rows for batch in batches), len(table.metadata.snapshots))

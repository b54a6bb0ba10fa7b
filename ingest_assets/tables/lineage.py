"""The columns that every ingested row carries beside its own, and the properties of its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.schema.column import Column, Columns

LINEAGE: Columns = (
    Column("_source_file", pa.string(), description="The address of the file the row came from."),
    Column("_file_id", pa.int64(), description="One number a key."),
    Column("_content_id", pa.int64(), description="One number a key and etag."),
    Column("_source_row", pa.int64(), description="The line or row number in the file."),
    Column("_ingested_at", pa.timestamp("us", tz="UTC"), description="When its batch was written."),
    Column(
        "_rescued_data",
        pa.string(),
        description="JSON of the values of the row that did not fit the table.",
    ),
)
MODIFIED_AT = Column(
    "_modified_at", pa.timestamp("us", tz="UTC"), description="When its file was put there."
)
ORDERED_LINEAGE: Columns = (*LINEAGE, MODIFIED_AT)
"""Of a table whose rows overtake each other: the moment orders them, and leaves with its row."""
LINEAGE_NAMES = frozenset(column.name for column in ORDERED_LINEAGE)

_RESCUED = "_rescued_data"
INGESTION_PROPERTY = "ingest.ingestion"
LEDGER_PROPERTY = "ingest.ledger-id"
BATCH_PROPERTY = "ingest.batch-id"
FENCE_PROPERTY = "ingest.fence"


@dataclass(frozen=True)
class Origin:
    """The file that the next `row_count` rows come from.

    `modified_at` where the table has that column.
    """

    uri: str
    file_id: int
    content_id: int
    row_count: int
    modified_at: datetime | None = None


def with_lineage(rows: pa.Table, origins: Sequence[Origin], ingested_at: datetime) -> pa.Table:
    """The rows of one or more files, with the columns that are the same for all rows of a file.

    `rows` has `_source_row` already, and `_rescued_data` unless they are rejected rows.
    """
    of_row = pa.concat_arrays(
        [
            pa.repeat(pa.scalar(position, pa.int32()), origin.row_count)
            for position, origin in enumerate(origins)
        ]
    )
    moment = pa.scalar(ingested_at, pa.timestamp("us", tz="UTC"))
    if _RESCUED in rows.column_names and origins and origins[0].modified_at is not None:
        modified = pa.array([o.modified_at for o in origins], MODIFIED_AT.type).take(of_row)
        rows = rows.append_column(MODIFIED_AT.name, modified)
    return (
        rows.append_column("_source_file", pa.array([o.uri for o in origins]).take(of_row))
        .append_column("_file_id", pa.array([o.file_id for o in origins], pa.int64()).take(of_row))
        .append_column(
            "_content_id", pa.array([o.content_id for o in origins], pa.int64()).take(of_row)
        )
        .append_column("_ingested_at", pa.repeat(moment, rows.num_rows))
    )


def rescued_count(rows: pa.Table) -> int:
    """How many rows have something in `_rescued_data`."""
    return int(pc.count(rows[_RESCUED], mode="only_valid").as_py())

"""The ledger's tables of dead-letter copies: one row a dead-lettered file, one a folder of them.

A file that is dead-lettered again gets its row's `batch_id` and `content_id` anew, and the row
waits again; `copy_uri` and `report_uri` go on naming what lies there until then.
A folder is never forgotten: whatever is declared later, what lies there is not ingested.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from ingest_assets.ledger.batch_tables import batches
from ingest_assets.ledger.states import CopyState
from ingest_assets.ledger.table_parts import moment, one_of
from ingest_assets.ledger.tables import files, metadata

dead_letter_copies = Table(
    "dead_letter_copies",
    metadata,
    Column("file_id", BigInteger, ForeignKey(files.c.file_id), primary_key=True),
    Column("ingestion", Text, nullable=False),
    Column("batch_id", Text, ForeignKey(batches.c.batch_id), nullable=False),
    Column("content_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    moment("next_try_at", is_set=True),
    Column("error", Text),
    Column("copy_uri", Text),
    Column("report_uri", Text),
    moment("created_at", is_set=True),
    moment("copied_at"),
    one_of("state", CopyState),
)
Index(
    "dead_letter_copies_waiting",
    dead_letter_copies.c.ingestion,
    dead_letter_copies.c.next_try_at,
    postgresql_where="state = 'WAITING'",
)

dead_letter_folders = Table(
    "dead_letter_folders", metadata, Column("folder", Text, primary_key=True)
)

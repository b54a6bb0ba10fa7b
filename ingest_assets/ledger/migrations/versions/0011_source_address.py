"""Where the files of each ingestion are, so that a prefix that doubles them is refused.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Each ingestion's next tick says where its files are."""
    op.add_column("ingestions", sa.Column("source_address", sa.Text()), schema="ingest")


def downgrade() -> None:
    """A wider or narrower prefix makes new files of known ones."""
    op.drop_column("ingestions", "source_address", schema="ingest")

"""Dead-letter folders: where copies were ever made, whatever is declared now.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The folders are those of the copies so far whose names are their keys as they are."""
    op.create_table(
        "dead_letter_folders",
        sa.Column("folder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("folder"),
        schema="ingest",
    )
    op.execute("""
        INSERT INTO ingest.dead_letter_folders (folder)
        SELECT DISTINCT left(c.report_uri, length(c.report_uri) - length(c.name))
        FROM (SELECT d.report_uri, d.ingestion, f.key || '.error.json' AS name
              FROM ingest.dead_letter_copies d JOIN ingest.files f USING (file_id)) AS c
        WHERE right(c.report_uri, length(c.ingestion || c.name) + 2)
              = '/' || c.ingestion || '/' || c.name
    """)


def downgrade() -> None:
    """Copies at an earlier place inside of a source are ingested like any file."""
    op.drop_table("dead_letter_folders", schema="ingest")

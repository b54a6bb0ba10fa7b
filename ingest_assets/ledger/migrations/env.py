"""Alembic's entry: runs the migrations on the connection that the ledger hands over."""

from alembic import context

from ingest_assets.ledger import (
    alert_tables,
    batch_tables,
    dead_letter_tables,
    notification_tables,
    schema_tables,
    tables,
    upkeep_tables,
    usage_tables,
    volume_tables,
)

ALL_TABLES = (
    tables,
    batch_tables,
    schema_tables,
    alert_tables,
    dead_letter_tables,
    notification_tables,
    volume_tables,
    usage_tables,
    upkeep_tables,
)
"""Imported so that the metadata knows every table."""

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    version_table_schema=tables.SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()

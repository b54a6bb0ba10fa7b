"""Alembic's entry: runs the migrations on the connection that the ledger hands over."""

from alembic import context

from ingest_assets.ledger import alert_tables, tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=alert_tables.alerts.metadata,
    version_table_schema=tables.SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()

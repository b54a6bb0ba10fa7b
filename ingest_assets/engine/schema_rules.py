"""The declaration's rules for schemas, as the policy takes them."""

from ingest_assets.ingestion import Ingestion
from ingest_assets.schema.difference import Change
from ingest_assets.schema.policy import SchemaRules


def schema_rules(ingestion: Ingestion, ignored: tuple[Change, ...]) -> SchemaRules:
    """The rules for files, with the changes that a person decided to ignore."""
    rules = ingestion.schema_rules
    return SchemaRules(
        on_new_column=rules.on_new_column,
        on_missing_column=rules.on_missing_column,
        on_type_change=rules.on_type_change,
        optional_columns=frozenset(rules.optional_columns),
        ignored=ignored,
    )

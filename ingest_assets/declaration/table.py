"""The `table` of a declaration: where the rows go."""

import re
from collections.abc import Collection

from pydantic import Field, field_validator, model_validator

from ingest_assets.declaration.declared import refuse_doubles
from ingest_assets.declaration.table_terms import PartitionTerm, SortTerm
from ingest_assets.declaration.write_modes import WriteRules


class Table(WriteRules):
    """The Iceberg table that the rows go into, and what their coming does to the others."""

    identifier: str
    partition_by: list[str] = Field(default_factory=list)
    sort_by: list[str] = Field(default_factory=list)
    properties: dict[str, str] = Field(default_factory=dict)

    @field_validator("identifier")
    @classmethod
    def _namespace_and_table(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", value):
            raise ValueError(
                f"{value!r} should be namespace.table in lower-case letters, digits and _"
            )
        if value.endswith("__rejected"):
            raise ValueError("names ending in __rejected are kept for the rejected rows")
        return value

    @field_validator("partition_by")
    @classmethod
    def _partition_terms(cls, value: list[str]) -> list[str]:
        refuse_doubles([PartitionTerm.parse(term) for term in value], value)
        return value

    @field_validator("sort_by")
    @classmethod
    def _sort_terms(cls, value: list[str]) -> list[str]:
        refuse_doubles([SortTerm.parse(term).column for term in value], value)
        return value

    @field_validator("properties")
    @classmethod
    def _free_properties(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.startswith(("ingest.", "commit.retry.")):
                raise ValueError(f"{name} is set by the ingestion itself; leave it out")
        return value

    @model_validator(mode="after")
    def _partitions_to_overwrite(self) -> "Table":
        if self.overwrite_scope == "partitions" and not self.partition_by:
            raise ValueError(
                "overwrite_scope: partitions needs partition_by, as in partition_by: "
                "[day(ordered_at)]; or write overwrite_scope: table"
            )
        return self

    def with_identifier(self, identifier: str, columns: Collection[str]) -> "Table":
        """The same for another table, without the terms of columns that are not among `columns`."""
        changed = {
            "identifier": identifier,
            "partition_by": [
                t for t in self.partition_by if PartitionTerm.parse(t).column in columns
            ],
            "sort_by": [t for t in self.sort_by if SortTerm.parse(t).column in columns],
        }
        return self.model_copy(update=changed)

    @property
    def asset_key_path(self) -> list[str]:
        """The parts of the asset's key: the namespace's and the table's name."""
        return self.identifier.split(".")

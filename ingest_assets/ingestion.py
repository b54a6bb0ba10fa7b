"""The declaration: what a person writes about one ingestion, validated whole and frozen.

No I/O and no Dagster here. The field names, their defaults and their meaning are documented in
`docs/declaration.md`.
"""

import importlib.util
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from ingest_assets.declaration.dead_letter import DeadLetter
from ingest_assets.declaration.declared import Declared, sentences
from ingest_assets.declaration.maintenance import Maintenance
from ingest_assets.declaration.quality import QualityRule
from ingest_assets.declaration.schedule import Schedule
from ingest_assets.declaration.schema import SchemaRules
from ingest_assets.declaration.source import Format, Source
from ingest_assets.declaration.table import Table
from ingest_assets.declaration.transform import checked, refuse_what_lacks, through
from ingest_assets.declaration.write_mode_problems import contradiction
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.reading.reader import Reader
from ingest_assets.schema.types import format_type


class Batch(Declared):
    """How much one run and one commit take at most, and how many runs go on at a time."""

    max_files: PositiveInt = 1000
    max_bytes: PositiveInt = 1024**3
    max_concurrent_runs: PositiveInt = 1


class Retries(Declared):
    """How often a file whose error can pass is tried, and how long is waited before each time."""

    attempts: PositiveInt = 3
    backoff_minutes: list[Annotated[float, Field(ge=0)]] = Field(default=[1, 5, 15], min_length=1)

    @property
    def waits(self) -> list[timedelta]:
        """The wait after the first failure, after the second, and so on; the last one goes on."""
        return [timedelta(minutes=minutes) for minutes in self.backoff_minutes]


def _installed(engine: str) -> str:
    if engine == "spark" and importlib.util.find_spec("dagster_pyspark") is None:
        raise ValueError(
            "spark needs dagster-pyspark and pyspark, which are not installed here; install "
            "ingest_assets[spark], with the version of pyspark that the cluster has"
        )
    return engine


class Ingestion(Declared):
    """One declaration: which files go into which table, and under what rules."""

    name: str
    description: str | None = None
    owners: list[str] = Field(default_factory=list)
    source: Source
    format: Format
    max_rejected_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    schema_rules: SchemaRules = Field(default=SchemaRules(), alias="schema")
    table: Table
    transform: Annotated[str | None, AfterValidator(checked)] = None
    quality: list[QualityRule] = Field(default_factory=list)
    batch: Batch = Batch()
    engine: Annotated[Literal["local", "spark"], AfterValidator(_installed)] = "local"
    schedule: Schedule | None = None
    maintenance: Maintenance = Maintenance()
    retries: Retries = Retries()
    dead_letter: DeadLetter = DeadLetter()
    retain_partitions_days: PositiveInt = 90
    max_live_partitions: PositiveInt = 50_000
    alerts: list[str] = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
            raise ValueError(
                f"{value!r} should be lower-case letters, digits and _, beginning with a letter"
            )
        return value

    @model_validator(mode="after")
    def _types_that_the_format_holds(self) -> "Ingestion":
        for column in self.schema_rules.declared_columns:
            if self.format.cannot_hold(column.type):
                raise ValueError(
                    f"schema.columns: {self.format.type} files cannot hold {column.name}, "
                    f"a {format_type(column.type)}; declare it as string"
                )
        return self

    @model_validator(mode="after")
    def _write_mode_that_the_rest_allows(self) -> "Ingestion":
        changed, runs = self.source.on_changed_file, self.batch.max_concurrent_runs
        if problem := contradiction(self.table, self.schema_rules, changed, runs):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _source_outside_of_its_dead_letters(self) -> "Ingestion":
        if self.dead_letter.uri is not None:
            folder = f"{self.dead_letter.uri.rstrip('/')}/{self.name}/"
            if self.source.uri_of("").startswith(folder):
                raise ValueError(
                    f"source.uri lies in {folder}, where the dead letters of {self.name} go and "
                    "which is never listed; name another dead_letter.uri"
                )
        return self

    @field_validator("quality")
    @classmethod
    def _one_check_a_name(cls, value: list[QualityRule]) -> list[QualityRule]:
        names = [rule.check_name for rule in value]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(
                    f"two rules would be the check {name}; give one of them a name of its own"
                )
        return value

    @model_validator(mode="after")
    def _keys_that_can_be_compared(self) -> "Ingestion":
        """Of two batches at a time neither sees the other; a merge makes keys unique by itself."""
        for rule in self.quality:
            if rule.unique is None or rule.unique.scope == "file":
                continue
            if self.batch.max_concurrent_runs > 1:
                raise ValueError(
                    f"quality: {rule.check_name} compares with the whole table, and batches that "
                    "go on at a time do not see each other's rows; take batch.max_concurrent_runs: "
                    "1, or scope: file"
                )
            if self.table.write_mode != "append":
                raise ValueError(
                    f"quality: {rule.check_name} compares with the whole table, rows of which "
                    f"write_mode: {self.table.write_mode} replaces; take scope: file"
                )
        return self

    @model_validator(mode="after")
    def _transform_makes_what_the_table_needs(self) -> "Ingestion":
        if self.transform is not None:
            refuse_what_lacks(self.transform, self.table, self.schema_rules)
        return self

    def reader(self, known: KnownSource | None = None) -> Reader:
        """What reads the files, and transforms their rows by what is `known` of their fields.

        One reader serves any number of files; `known` follows them in their order.
        """
        return through(self.transform, self.format.reader(), known, self.schema_rules)

    @field_validator("owners")
    @classmethod
    def _owner_form(cls, value: list[str]) -> list[str]:
        for owner in value:
            if not (owner.startswith("team:") or re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", owner)):
                raise ValueError(f"{owner!r} should be an e-mail address or team:name")
        return value

    def for_table(self, route: str, columns: Collection[str] = ()) -> "Ingestion":
        """The same ingestion for one of its tables; empty is the declared one, and itself.

        Another one, as the resolution `new_table` makes it, has the layout of the declared one as
        far as `columns`, which both have, allow it.
        """
        if not route:
            return self
        table = self.table.with_identifier(route, columns)
        return self.model_copy(update={"table": table})


@dataclass(frozen=True)
class Declaration:
    """An ingestion and where it was declared (a path for messages)."""

    path: str
    ingestion: Ingestion


def problems_of(path: str, attributes: Mapping[str, Any]) -> tuple[Ingestion | None, list[str]]:
    """The ingestion that `attributes` declare, or every problem they have, as one-line texts."""
    try:
        return Ingestion.model_validate(attributes), []
    except ValidationError as error:
        return None, [f"{path}: {said}" for said in sentences(error, Ingestion, "attributes")]

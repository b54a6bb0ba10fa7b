"""What each rule of `quality` takes beside its name."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from ingest_assets.declaration.declared import Declared
from ingest_assets.quality.rule_values import (
    AcceptedValues,
    Amount,
    ColumnName,
    ColumnNames,
    Duration,
    Ratio,
    Regex,
    TableName,
)


class Unique(Declared):
    """No two rows have the same values in these columns: in the file, or in the whole table."""

    columns: ColumnNames
    scope: Literal["file", "table"] = "file"


class Accepted(Declared):
    """The column has one of these values, or null."""

    column: ColumnName
    values: AcceptedValues


class Range(Declared):
    """The column's value is not below `min` and not above `max`, or null."""

    column: ColumnName
    min: Amount | None = None
    max: Amount | None = None

    @model_validator(mode="after")
    def _an_end(self) -> "Range":
        if self.min is None and self.max is None:
            raise ValueError("names no end; give it min, max, or both")
        return self


class Pattern(Declared):
    """The whole of the column's text matches the regular expression (RE2), or is null."""

    column: ColumnName
    regex: Regex


class RowCount(Declared):
    """So many rows of the file go into the table."""

    min: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _an_end(self) -> "RowCount":
        if self.min is None and self.max is None:
            raise ValueError("names no end; give it min, max, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}, which no file can meet")
        return self


class RowCountChange(Declared):
    """The file's rows differ from the median of the `last` files by at most `max_ratio` of it."""

    max_ratio: Annotated[float, Field(gt=0)] = 0.5
    last: PositiveInt = 10


class NullRatio(Declared):
    """At most this share of the file's rows is null in the column."""

    column: ColumnName
    max: Ratio


class ForeignKey(Declared):
    """The values of `columns` are those of `to` in a row of another Iceberg table, or null."""

    columns: ColumnNames
    references: TableName
    to: list[ColumnName] = Field(default_factory=list)

    @model_validator(mode="after")
    def _as_many(self) -> "ForeignKey":
        if self.to and len(self.to) != len(self.columns):
            raise ValueError(
                f"columns names {len(self.columns)} and to names {len(self.to)}; each column "
                "needs the one that it refers to"
            )
        return self

    @property
    def referenced(self) -> list[str]:
        """The columns of the other table; those of the same names where none are named."""
        return self.to or self.columns


class Freshness(Declared):
    """The newest rows came into the table no longer ago than this."""

    max_age: Duration


class Volume(Declared):
    """What came into the table in the last `hours`, against limits or the windows before it."""

    hours: PositiveInt = 24
    min_rows: Annotated[int, Field(ge=0)] | None = None
    max_rows: Annotated[int, Field(ge=0)] | None = None
    min_files: Annotated[int, Field(ge=0)] | None = None
    max_ratio: Annotated[float, Field(gt=0)] | None = None
    last: PositiveInt = 7

    @model_validator(mode="after")
    def _a_limit(self) -> "Volume":
        limits = (self.min_rows, self.max_rows, self.min_files, self.max_ratio)
        if all(limit is None for limit in limits):
            raise ValueError("names no limit; give it min_rows, max_rows, min_files or max_ratio")
        return self

"""What the ledger's tables are made of."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, DateTime, MetaData, func

SCHEMA = "ingest"

metadata = MetaData(schema=SCHEMA)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column has only these values."""
    known = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({known})", name=f"{column}_is_known")


def moment(name: str, *, is_set: bool = False) -> Column[object]:
    """A column of moments with their time zone; `is_set` from the beginning, or null until then."""
    kind = DateTime(timezone=True)
    return Column(name, kind, server_default=func.now() if is_set else None, nullable=not is_set)

"""The `maintenance` of a declaration: how its tables are kept, and when."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from ingest_assets.declaration.age import parse_age
from ingest_assets.declaration.declared import Declared
from ingest_assets.declaration.schedule import Schedule

_YOUNGEST_ORPHAN = timedelta(days=1)


class Maintenance(Declared):
    """How large data files should be, how much history stays, and when all that is seen to."""

    schedule: Schedule | None = None
    target_file_bytes: Annotated[int, Field(ge=1024**2)] = 128 * 1024**2
    min_files: Annotated[int, Field(ge=2)] = 5
    keep_snapshots: PositiveInt = 10
    snapshot_age: str = "5d"
    orphan_age: str = "3d"

    @field_validator("snapshot_age")
    @classmethod
    def _is_an_age(cls, value: str) -> str:
        parse_age(value)
        return value

    @field_validator("orphan_age")
    @classmethod
    def _is_old(cls, value: str) -> str:
        if parse_age(value) < _YOUNGEST_ORPHAN:
            raise ValueError(
                f"{value!r} is less than 1d: a younger file may be one of a commit under way"
            )
        return value

    @property
    def history(self) -> timedelta:
        """Snapshots that are younger stay."""
        return parse_age(self.snapshot_age)

    @property
    def settled(self) -> timedelta:
        """Files that nothing names and that are older are orphans."""
        return parse_age(self.orphan_age)

"""What the wizard proposes from what it saw of the files."""

from collections.abc import Mapping
from typing import Any

from ingest_assets.engine.first_look import FirstLook

_DAYS_IN_A_FILE = 3
"""On more days than these a file would become as many small data files."""


def partition_by(look: FirstLook) -> list[str]:
    """By the day, or month, of the moments that rows have, if files do not scatter over many."""
    for column, days in look.days_in_a_file.items():
        if column in look.without_nulls:
            transform = "day" if days <= _DAYS_IN_A_FILE else "month"
            return [f"{transform}({column})"]
    return []


def quality_rules(look: FirstLook) -> Mapping[str, list[Any]]:
    """For each kind of rule what it might be about, from what holds for the files seen.

    `unique` is of the one column that looks like a key, if there is one.
    """
    return {
        "row_count": [{"min": 1}],
        "not_null": [name for name in look.without_nulls if name in look.always_present],
        "unique": [look.key] if look.key else [],
    }

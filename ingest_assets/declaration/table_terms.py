"""The terms of `partition_by` and `sort_by`, as a person writes them.

Partition transforms are those of the Iceberg specification:
https://iceberg.apache.org/spec/#partition-transforms
"""

import re
from dataclasses import dataclass
from typing import Self

TRANSFORMS = ("identity", "year", "month", "day", "hour", "bucket", "truncate")
_CALL = re.compile(r"^(?P<transform>[a-z]+)\(\s*(?:(?P<width>\d+)\s*,\s*)?(?P<column>\w+)\s*\)$")
_MAX_WIDTH = 2**31 - 1
_COLUMN = re.compile(r"^\w+$")
_SORT = re.compile(
    r"^(?P<column>\w+)(?:\s+(?P<direction>asc|desc))?(?:\s+nulls\s+(?P<nulls>first|last))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PartitionTerm:
    """One field of a partition spec: `transform(column)`; `width` for bucket and truncate only."""

    transform: str
    column: str
    width: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `day(ordered_at)`, `bucket(16, id)`, `truncate(4, sku)` or a bare column name.

        Raises:
            ValueError: the text is none of these; the message shows what would be right.
        """
        text = text.strip()
        if _COLUMN.match(text):
            return cls("identity", text)
        match = _CALL.match(text)
        if match is None or match["transform"] not in TRANSFORMS:
            raise ValueError(
                f"{text!r} is not a partition; write a column, or one of year(c), month(c), "
                "day(c), hour(c), bucket(16, c), truncate(4, c), identity(c)"
            )
        needs_width = match["transform"] in ("bucket", "truncate")
        if needs_width and not int(match["width"] or 0):
            raise ValueError(f"{text!r} needs a width above 0, as in {match['transform']}(16, c)")
        if int(match["width"] or 0) > _MAX_WIDTH:
            raise ValueError(f"{text!r}: the width can be {_MAX_WIDTH} at most")
        if not needs_width and match["width"]:
            raise ValueError(f"{text!r}: {match['transform']} takes a column and no width")
        return cls(match["transform"], match["column"], int(match["width"] or 0) or None)


@dataclass(frozen=True)
class SortTerm:
    """One field of a sort order. Nulls come first ascending and last descending, as in Iceberg."""

    column: str
    is_descending: bool = False
    nulls_first: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `column`, `column desc`, `column asc nulls last`.

        Raises:
            ValueError: the text is none of these.
        """
        match = _SORT.match(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not a sort term; write `column`, `column desc` or "
                "`column asc nulls last`"
            )
        is_descending = (match["direction"] or "asc").lower() == "desc"
        nulls = (match["nulls"] or ("last" if is_descending else "first")).lower()
        return cls(match["column"], is_descending, nulls == "first")

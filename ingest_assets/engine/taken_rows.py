"""What a transform made the rows of, as the metadata of a file says it."""

from typing import Any

from ingest_assets.files.reading.chunk import Taken


def taken_detail(taken: Taken | None) -> dict[str, Any]:
    """`records` of the file; of these `filtered` and `rejected` are no rows, where rows are rows.

    `unused_fields` are those of the source that the transform has nothing of.
    """
    if taken is None:
        return {}
    detail: dict[str, Any] = {"records": taken.records}
    if taken.filtered is not None:
        detail["filtered"] = taken.filtered
    if taken.unused:
        detail["unused_fields"] = list(taken.unused)
    return detail

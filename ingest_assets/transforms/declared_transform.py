"""The text of `transform` as what it is: SQL, or the name of a Python function."""

from collections.abc import Collection
from functools import lru_cache

from ingest_assets.transforms.function import NAME, FunctionTransform
from ingest_assets.transforms.made import Transform
from ingest_assets.transforms.sql import SqlTransform


@lru_cache(maxsize=1024)
def transform_of(text: str) -> Transform:
    """The transform; a process makes one of a text.

    Raises:
        TransformDeclarationError: the text is neither, or takes more than the file's rows.
    """
    if NAME.fullmatch(text.strip()):
        return FunctionTransform(text.strip())
    return SqlTransform(text)


def lacking(text: str, wanted: Collection[str]) -> list[str]:
    """Those of the columns that the result cannot have, as far as the text alone tells.

    Raises:
        TransformDeclarationError: as `transform_of`.
    """
    transform = transform_of(text)
    names = transform.result_names if isinstance(transform, SqlTransform) else None
    return [] if names is None else [name for name in wanted if name not in names]

"""What would happen to the files of an ingestion, found by the ingestion's own parts."""

from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.report import Preview
from ingest_assets.ingestion import Ingestion

FILES = 10
SAMPLE_ROWS = 5


def preview(
    deployment: Deployment,
    ingestion: Ingestion,
    *,
    files: int = FILES,
    is_declared: bool = True,
    detects_format: bool = False,
) -> Preview:
    """What would happen to the first `files` files; nothing is written, anywhere.

    The ingestion need not stand in a file. With `detects_format` its format is replaced by the one
    that the files have by their names and bytes. Whatever stands in the way, of the store, the
    table or the files, is in the preview and is not raised.

    Raises:
        ConnectionsFileError: the declaration names a connection that there is not.
    """
    raise NotImplementedError

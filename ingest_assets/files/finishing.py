"""Which store does what with its finished objects."""

from ingest_assets.declaration.source import Source
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection
from ingest_assets.files.finished_local import LocalFinishing
from ingest_assets.files.finished_object import Finishing
from ingest_assets.files.finished_s3 import S3Finishing


def finishing(source: Source, connection: Connection, clients: S3Clients) -> Finishing:
    """What is done with the finished objects of a source.

    Raises:
        ObjectStoreError: there are no usable credentials.
    """
    if source.root.startswith("file://"):
        return LocalFinishing(source)
    return S3Finishing(source, connection, clients)

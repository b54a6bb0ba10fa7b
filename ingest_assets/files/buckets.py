"""The buckets that a connection may list, for somebody who is asked for one."""

from contextlib import suppress

from botocore.exceptions import BotoCoreError, ClientError

from ingest_assets.errors import IngestError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection


def bucket_names(connection: Connection, clients: S3Clients) -> list[str]:
    """In the order in which S3 lists them; none where it does not answer, or does not say."""
    with suppress(BotoCoreError, ClientError, IngestError):
        answer = clients.of(connection).boto3.list_buckets()
        return [bucket["Name"] for bucket in answer.get("Buckets", [])]
    return []

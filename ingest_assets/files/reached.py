"""By which way a store is reached, in words and without its keys."""

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from ingest_assets.declaration.source import Source
from ingest_assets.errors import ConfigurationError
from ingest_assets.files.clients import S3Clients
from ingest_assets.files.connections import Connection

_CREDENTIALS = {
    "env": "AWS_ACCESS_KEY_ID in the environment",
    "shared-credentials-file": "a profile of the shared credentials file",
    "config-file": "a profile of the AWS configuration",
    "iam-role": "the role of this machine",
    "container-role": "the role of this container",
    "sso": "AWS SSO",
}


@dataclass(frozen=True)
class Reached:
    """`credentials`: where the keys come from, in words. `region`: None but for S3."""

    endpoint: str
    region: str | None
    credentials: str


def reached(source: Source, connection: Connection, clients: S3Clients) -> Reached:
    """The way to the store of the source; what stands in the way stands for the credentials."""
    if source.root == "file://":
        return Reached("this machine", None, "the account of this process")
    if not source.root.startswith("s3://"):
        return Reached(source.root, None, "the standard chain of that store")
    try:
        client = clients.of(connection)
        method = getattr(client.session.get_credentials(), "method", None)
    except (ConfigurationError, BotoCoreError) as error:
        return Reached(connection.endpoint_url or "AWS", connection.region, f"nowhere ({error})")
    region = str(client.session.region_name)
    return Reached(client.endpoint or "AWS", region, _words(connection, method))


def _words(connection: Connection, method: str | None) -> str:
    if connection.role_arn is not None:
        return f"the role {connection.role_arn}"
    if connection.access_key_id_env is not None:
        return f"the variable {connection.access_key_id_env}"
    return "nowhere (none were found)" if method is None else _CREDENTIALS.get(method, method)

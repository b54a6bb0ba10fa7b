"""The keys and the endpoint with which a connection's store is reached."""

import os
from typing import Any

import boto3
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session

from ingest_assets.errors import ConfigurationError
from ingest_assets.files.connections import Connection


def session_of(connection: Connection) -> Any:
    """A boto3 session of the standard chain, the connection's keys, or its role.

    Raises:
        ConnectionsFileError: a variable that should hold a key is not set.
        BotoCoreError: there is nothing to assume the role with, or no such profile.
    """
    keys = connection.static_keys() or {}
    base = boto3.Session(region_name=connection.region, **keys)
    region = base.region_name or "us-east-1"
    if connection.role_arn is None:
        return boto3.Session(region_name=region, **keys)
    own = base.get_credentials()
    if own is None:
        raise NoCredentialsError
    arguments = {"RoleSessionName": "ingest_assets"}
    if connection.external_id:
        arguments["ExternalId"] = connection.external_id
    sts = base.client("sts", region_name=region)
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda *_args, **_kwargs: sts,
        source_credentials=own,
        role_arn=connection.role_arn,
        extra_args=arguments,
    )
    assumed = get_session()
    assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.Session(botocore_session=assumed, region_name=region)


def endpoint_of(connection: Connection) -> str | None:
    """Where the store listens, if that is not where AWS is.

    Raises:
        ConfigurationError: the environment names something that is no address.
    """
    if connection.endpoint_url:
        return connection.endpoint_url
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        value = os.environ.get(name)
        if value and not value.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"{name} is {value!r} and should begin with http:// or https://, as in "
                "http://127.0.0.1:9000"
            )
        if value:
            return value
    return None

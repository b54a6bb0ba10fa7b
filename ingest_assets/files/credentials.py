"""The keys and the endpoint with which a connection's store is reached."""

import os
from contextlib import suppress
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session
from botocore.utils import parse_timestamp

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
    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    if connection.role_arn is None:
        return boto3.Session(botocore_session=session, region_name=region, **keys)
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
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return boto3.Session(botocore_session=session, region_name=region)


def _moment(said: Any) -> datetime:
    """As botocore's parser, which takes most of a listing's time, but ISO 8601 by Python's own."""
    with suppress(TypeError, ValueError):
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is not None:
            return moment
    other: datetime = parse_timestamp(said)
    return other


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


def s3_client(
    session: Any, endpoint: str | None, *, read_timeout_seconds: int, attempts: int
) -> Any:
    """A client of the session's store that gives up in time."""
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=5,
            read_timeout=read_timeout_seconds,
            max_pool_connections=32,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            s3={"addressing_style": "path" if endpoint else "auto"},
        ),
    )


def sqs_client(session: Any, endpoint: str, region: str | None) -> Any:
    """A client of the queues at the endpoint that gives up in time."""
    return session.client(
        "sqs",
        region_name=region,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=32,
        ),
    )

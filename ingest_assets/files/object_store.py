"""obstore's client of one bucket."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import NoCredentialsError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import from_url

from ingest_assets.files.clients import S3Client

_KEYS_TTL = timedelta(minutes=5)
"""Shorter than the ten minutes before their end in which botocore renews temporary keys."""
_CONNECT_TIMEOUT = "5s"
_NOT_ADDRESSABLE = re.compile(r"[\x00-\x1f\x7f]|//|^/|/$|(^|/)\.\.?(/|$)")


def is_addressable(path: str) -> bool:
    """The object_store crate has a path for the whole key."""
    return _NOT_ADDRESSABLE.search(path) is None


@dataclass(frozen=True)
class Patience:
    """A request is given up after `timeout`, its whole answer included, and made anew so often, if
    `retry_time` has not passed by then."""

    timeout: timedelta
    retries: int
    retry_time: timedelta = timedelta(minutes=3)


PATIENT = Patience(timedelta(minutes=2), retries=3)
HASTY = Patience(timedelta(seconds=30), retries=0)
"""For work that holds up other work and is done again later."""
LOOKING = Patience(timedelta(seconds=10), retries=3, retry_time=timedelta(seconds=5))
"""For a look at one object of many."""


def open_object_store(root: str, access: S3Client | None, patience: Patience) -> Any:
    """The store at `root`, as in `s3://bucket`.

    `access` is for S3 alone.

    Raises:
        NoCredentialsError: there is nothing to sign requests with.
    """
    client: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "timeout": f"{patience.timeout.total_seconds() * 1000:.0f}ms",
    }
    options: dict[str, Any] = {
        "retry_config": {
            "max_retries": patience.retries,
            "retry_timeout": patience.retry_time,
        },
        "client_options": client,
    }
    if access is not None:
        if access.session.get_credentials() is None:
            raise NoCredentialsError
        options["region"] = access.session.region_name
        options["credential_provider"] = Boto3CredentialProvider(access.session, ttl=_KEYS_TTL)
        if access.endpoint:
            options["endpoint"] = access.endpoint
            client["allow_http"] = access.endpoint.startswith("http://")
    return from_url(f"{root}/", **options)

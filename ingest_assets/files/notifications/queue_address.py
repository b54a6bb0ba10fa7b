"""The address of a queue, which may be written in several ways."""

import re
from urllib.parse import urlsplit

_PORTS = {"http": ":80", "https": ":443"}
_AWS = re.compile(r"\.(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$")
_REGION = re.compile(r"(?<![^.])[a-z]{2,}(-[a-z]+)+-\d+(?![^.])")


def queue_identity(url: str) -> str:
    """The same for all addresses of one queue.

    AWS has a queue under several hosts of its region: the legacy `<region>.queue.amazonaws.com`
    (`queue.amazonaws.com` in us-east-1), FIPS and dual-stack endpoints and those of a VPC.
    https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
    """
    parts = urlsplit(url)
    host, path = parts.netloc.lower().removesuffix(_PORTS[parts.scheme]), parts.path.rstrip("/")
    if _AWS.search(host):
        region = _REGION.search(host)
        host = region[0] if region is not None else "us-east-1"
    return f"{host}{path}"

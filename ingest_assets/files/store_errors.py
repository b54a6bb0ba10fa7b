"""What object stores say when they refuse, in words that a person can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError
from obstore.exceptions import (
    BaseError,
    GenericError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from ingest_assets.errors import ObjectStoreError, SourceChangedError

_BAD_KEY = (
    "The access key is not known there. Check AWS_ACCESS_KEY_ID, the profile, or the variables "
    "that the connection names"
)
_EXPIRED = "The session token is not valid or has expired. Renew the credentials"
_REGION = "The bucket is in another region. Set the connection's region"
_NO_CREDENTIALS = (
    "No usable credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
    "AWS_PROFILE to a profile that exists, or give the source a connection"
)
_ADVICE = {
    "NoSuchBucket": (
        "The bucket does not exist. Check source.uri, and the endpoint and region of the connection"
    ),
    "InvalidBucketName": "That is no name of a bucket. Check source.uri",
    "InvalidAccessKeyId": _BAD_KEY,
    "InvalidClientTokenId": _BAD_KEY,
    "SignatureDoesNotMatch": (
        "The secret key does not belong to the access key. Check AWS_SECRET_ACCESS_KEY, or the "
        "variables that the connection names"
    ),
    "RequestTimeTooSkewed": "The clock of this machine is wrong. Set it",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "AssumeRole": (
        "The connection's role could not be assumed. Check its role_arn and external_id, and that "
        "the role trusts the credentials that this process has"
    ),
    "AccessDenied": (
        "The credentials are valid but may not do this. Allow s3:ListBucket on the bucket and "
        "s3:GetObject on its objects"
    ),
    "InvalidObjectState": (
        "The object is archived. Restore it, or leave archived objects out with source.pattern"
    ),
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "SlowDown": "The store throttles. The work goes on by itself after a while",
    "NoCredentials": _NO_CREDENTIALS,
    "NotReadable": "This process may not read it. Give its account the right to",
    "Unreachable": (
        "The store did not answer. Check the connection's endpoint_url (or AWS_ENDPOINT_URL), and "
        "the network"
    ),
}
_OTHER = "Check source.uri and the connection; the work is tried again by itself"
_STATUS_CODES = {"412": "PreconditionFailed", "404": "NoSuchKey", "403": "AccessDenied"}
_CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    CredentialRetrievalError,
    SSOError,
)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Errors of the store's clients leave as ObjectStoreError with the address and what to do.

    Raises:
        SourceChangedError: the object is gone, or its etag is another.
        ObjectStoreError: anything else the store or the way to it said.
    """
    try:
        yield
    except (BaseError, BotoCoreError, ClientError, OSError) as error:
        raise _refusal(uri, error) from error


def _refusal(uri: str, error: Exception) -> ObjectStoreError:
    code = _code(error)
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "is gone" if code == "NoSuchKey" else "was replaced by other content"
        return SourceChangedError(
            f"{uri} {happened} since it was listed; nothing of it was read. "
            "The next listing finds what is there now."
        )
    said = code if code in _SAID_BY_STORES else _first_line(error)
    return ObjectStoreError(f"{uri} cannot be read ({said}). {_ADVICE.get(code, _OTHER)}.")


_SAID_BY_STORES = set(_ADVICE) - {"AssumeRole", "NotReadable", "Unreachable", "NoCredentials"}


def _code(error: Exception) -> str:
    """The store's own error code, as S3 words it, or one of ours; empty when there is none."""
    if isinstance(error, ClientError):
        if error.operation_name == "AssumeRole":
            return "AssumeRole"
        code = str(error.response.get("Error", {}).get("Code", ""))
        return _STATUS_CODES.get(code, code)
    if isinstance(error, _CREDENTIAL_ERRORS):
        return "NoCredentials"
    if isinstance(error, HTTPClientError | BotoConnectionError):
        return "Unreachable"
    return "" if isinstance(error, BotoCoreError) else _code_in_text(error)


def _code_in_text(error: Exception) -> str:
    """obstore gives the store's answer as text."""
    text = str(error)
    for code in _ADVICE:
        if f"<Code>{code}</Code>" in text:
            return code
    if "AssumeRole operation" in text:
        return "AssumeRole"
    if "incorrectly configured region" in text:
        return "PermanentRedirect"
    if isinstance(error, PreconditionError):
        return "PreconditionFailed"
    if isinstance(error, FileNotFoundError | NotFoundError):
        return "NoSuchKey"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "AccessDenied"
    if isinstance(error, PermissionError):
        return "NotReadable"
    return "Unreachable" if isinstance(error, GenericError) else ""


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]

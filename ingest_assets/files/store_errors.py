"""What object stores say when they refuse, in words that a person can act on."""

import re
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
from ingest_assets.files.unreachable import StoreUnreachableError

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
ADVICE = {
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
    "400": (
        "The store does not say why. The object may be encrypted with a key that the store does "
        "not have (SSE-C; leave it out with source.pattern), or the session token has expired"
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
_WRITING_ADVICE = {
    "NoSuchBucket": "The bucket does not exist. Make it, or name another one",
    "AccessDenied": (
        "The credentials are valid but may not do this. Allow s3:PutObject and "
        "s3:AbortMultipartUpload on its objects"
    ),
    "NotReadable": "This process may not write there. Give its account the right to",
}
_WRITING_OTHER = "Check the address and the connection; it is tried again by itself"
_OTHER = "Check source.uri and the connection; the work is tried again by itself"
_REFUSAL = re.compile(r"status code: (4(?!08)\d\d)([\w -]*)")
_TOLD = re.compile(r"<Code>([\w.]+)</Code>(?:\s*<Message>([^<]*))?")
_STATUS_CODES = {
    "412": "PreconditionFailed",
    "404": "NoSuchKey",
    "403": "AccessDenied",
    "429": "SlowDown",
}
_LATER = ("Unreachable", "SlowDown")
"""What is said of one object holds for all others of the store."""
_CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    CredentialRetrievalError,
    SSOError,
)


class NotWritableError(ObjectStoreError):
    """The place cannot be written to, whatever is to be written, or the way to it is closed."""


@contextmanager
def explained(
    uri: str, *, doing: str = "read", allow: str | None = None, field: str = "source.uri"
) -> Iterator[None]:
    """Errors of the store's clients leave as ObjectStoreError with the address and what to do.

    `doing` is what was to be done, `allow` the right that it takes, `field` where it is declared.

    Raises:
        SourceChangedError: the object is gone, or its etag is another.
        StoreUnreachableError: there was no answer, or that there are too many questions.
        ObjectStoreError: anything else the store or the way to it said.
    """
    try:
        yield
    except (BaseError, BotoCoreError, ClientError, OSError) as error:
        raise _refusal(uri, error, doing, allow, field) from error


@contextmanager
def explained_writing(uri: str) -> Iterator[None]:
    """Errors of writing leave as ObjectStoreError with the address and what to do.

    Raises:
        NotWritableError: whatever the store or the way to it said.
    """
    try:
        yield
    except (BaseError, BotoCoreError, ClientError, OSError) as error:
        code = code_of(error)
        advice = _WRITING_ADVICE.get(code) or ADVICE.get(code, _WRITING_OTHER)
        raise NotWritableError(f"{uri} cannot be written ({_said(error)}). {advice}.") from error


def _refusal(
    uri: str, error: Exception, doing: str, allow: str | None, field: str
) -> ObjectStoreError:
    code = code_of(error)
    if code in ("NoSuchKey", "PreconditionFailed"):
        happened = "is gone" if code == "NoSuchKey" else "was replaced by other content"
        return SourceChangedError(
            f"{uri} {happened} since it was listed; nothing of it was {doing}. "
            "The next listing finds what is there now."
        )
    advice = ADVICE.get(code, _OTHER).replace("source.uri", field)
    if allow is not None and code in ("AccessDenied", "NotReadable"):
        advice = f"The credentials are valid but may not do this. Allow {allow}"
    kind = StoreUnreachableError if code in _LATER else ObjectStoreError
    return kind(f"{uri} cannot be {doing} ({_said(error)}). {advice}.")


def _said(error: Exception) -> str:
    """The store's own word for it, or the first line of what the client says."""
    code, text = code_of(error), str(error)
    if code in _SAID_BY_STORES:
        return code
    refusal, told = _REFUSAL.search(text), _TOLD.search(text)
    if refusal is None:
        return _first_line(error)
    said = ": ".join(filter(None, told.groups())) if told else f"{refusal[1]}{refusal[2]}"
    return " ".join(said.split())[:300]


_SAID_BY_STORES = set(ADVICE) - {"AssumeRole", "NotReadable", "Unreachable", "NoCredentials", "400"}


def code_of(error: Exception) -> str:
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
    for code in ADVICE:
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
    if not isinstance(error, GenericError):
        return ""
    refusal, told = _REFUSAL.search(text), _TOLD.search(text)
    if refusal is None:
        return "Unreachable"
    return told[1] if told else _STATUS_CODES.get(refusal[1], refusal[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]

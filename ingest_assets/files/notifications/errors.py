"""What queues and topics say when they refuse, in words that a person can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from ingest_assets.errors import ServiceError
from ingest_assets.files.store_errors import ADVICE, code_of


class QueueError(ServiceError):
    """The queue of notifications is unreachable, denies access, or does not exist.

    Messages that were received and are not in the ledger come again by themselves.
    """


_NO_QUEUE = (
    "The queue does not exist. Check source.discovery.queue_url, or make it with "
    "ingest-assets setup-notifications"
)
_DENIED = (
    "The credentials are valid but may not do this. Allow what ingest-assets setup-notifications "
    "prints"
)
_QUEUE_ADVICE = {
    "AWS.SimpleQueueService.NonExistentQueue": _NO_QUEUE,
    "QueueDoesNotExist": _NO_QUEUE,
    "NonExistentQueue": _NO_QUEUE,
    "InvalidAddress": _NO_QUEUE,
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
    "AuthorizationError": _DENIED,
    "InvalidArgument": (
        "S3 does not take the configuration. An entry of the bucket for the same prefix is in the "
        "way (S3 allows one destination for each; --through eventbridge allows more), or the "
        "queue's policy is not in force yet: try again"
    ),
    "Unreachable": "The service did not answer. Check source.discovery.queue_url, and the network",
}
_OTHER = "Check source.discovery.queue_url and the connection; it is tried again by itself"


@contextmanager
def explained(address: str) -> Iterator[None]:
    """Errors of AWS's client leave as QueueError with the address and what to do.

    Raises:
        QueueError: the service refused, or did not answer.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        code = code_of(error)
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        advice = _QUEUE_ADVICE.get(code) or ADVICE.get(code) or _OTHER
        raise QueueError(f"{address} cannot be used ({said}). {advice}.") from error

"""What catalogs and warehouses raise, told apart by what is certain about the table afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from pyarrow import ArrowException
from pyiceberg.exceptions import (
    CommitFailedException,
    NoSuchTableError,
    RESTError,
    TableAlreadyExistsError,
    ValidationException,
)
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from ingest_assets.errors import CatalogError, CommitConflictError, CommitUnknownError

# pyarrow's file systems raise ArrowException where they do not raise OSError.
_SERVICE_ERRORS = (
    ArrowException,
    SQLAlchemyError,
    RESTError,
    RequestException,
    BotoCoreError,
    ClientError,
    OSError,
)
_REFUSALS = (
    CommitFailedException,
    ValidationException,
    TableAlreadyExistsError,
    NoSuchTableError,
)


@contextmanager
def reachable(identifier: str) -> Iterator[None]:
    """Before a commit: whatever goes wrong with the services, the table is unchanged.

    Raises:
        CatalogError: the catalog or its warehouse did not do the work.
    """
    try:
        yield
    except _SERVICE_ERRORS as error:
        raise CatalogError(
            f"The catalog or warehouse of {identifier} did not do the work ({_cause(error)}); the "
            "table is unchanged. Check that it is up and that the credentials may read and write."
        ) from error


@contextmanager
def committing(identifier: str, batch_id: str) -> Iterator[None]:
    """Around the one call that commits: refused for certain, or of unknown outcome.

    Raises:
        CommitConflictError: another writer came first, or the table was dropped; it is unchanged
            by us.
        CommitUnknownError: the answer was lost; the commit may be in the table.
    """
    try:
        yield
    except _REFUSALS as error:
        raise CommitConflictError(
            f"Another writer committed to {identifier} first ({_cause(error)}); nothing of batch "
            f"{batch_id} was written. It is tried again on the table as it is now."
        ) from error
    except Exception as error:
        # Whatever else it is (PyIceberg raises bare ValueErrors of its own, for a base that a
        # rollback brought back or an answer that it cannot read), nobody knows what became of it.
        raise CommitUnknownError(
            f"The answer to the commit of batch {batch_id} to {identifier} was lost "
            f"({_cause(error)}); it may or may not be in the table. Recovery looks for it when the "
            "lease has expired, and nothing is written again before that."
        ) from error


def _cause(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return text.splitlines()[0][:300]

"""Metrics over HTTP: each scrape reads the ledger, so they are right whoever did the work.

A scrape answers in time whatever Postgres does: what does not come within `ANSWER_SECONDS` is
`ingest_up 0`. What costs more the more files and declarations there are (the files that are settled
long ago, and which ingestions are declared) is read anew only when a hundred times as long as the
last reading took has passed; in a small deployment that is at every scrape. Settled files that
cannot be counted in time are as many as before, or not told of.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.deployment import Deployment
from ingest_assets.errors import ConfigurationError, IngestError, LedgerError, ServiceError
from ingest_assets.ledger import health, table_health
from ingest_assets.ledger.states import FileStatus
from ingest_assets.metrics.families import Reading, families, up

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 4
"""Prometheus gives a scrape ten seconds by default; one may have to wait for the one before it."""
_LIMIT = timedelta(seconds=ANSWER_SECONDS)
_COUNT_LIMIT = 3 / 4 * _LIMIT
_PATIENCE = 100

T = TypeVar("T")


def serve(deployment: Deployment, host: str, port: int) -> None:
    """The metrics of the deployment's ledger are served until this process ends.

    Only ingestions that are declared have any; one whose declaration is gone has none.

    Raises:
        ServiceError: the address cannot be listened on.
        DeclarationError: the declarations do not hold.
    """
    registry = CollectorRegistry()
    registry.register(_LedgerCollector(deployment))
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise ServiceError(
            f"Metrics cannot be served at {host}:{port}: {error.strerror or error}. "
            "Name an address of this machine and a free port with --host and --port."
        ) from error


class _Paced(Generic[T]):
    """What `work` gave, not done again before a hundred times its duration has passed."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._next = 0.0

    def read(self) -> T:
        begin = time.monotonic()
        if begin >= self._next:
            self._found = self._work()
            end = time.monotonic()
            self._next = end + _PATIENCE * (end - begin)
        return self._found


class _LedgerCollector(Collector):
    """Reads the ledger at each scrape, in a thread that may be left behind."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._is_reading = threading.Lock()
        self._names = self._declared_names()
        self._declared = _Paced(self._load_declared)
        self._last_settled: dict[tuple[str, FileStatus], int] | None = None
        self._settled = _Paced(self._count_settled)

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering reads no ledger."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """All metrics, or `ingest_up 0` alone."""
        reading = self._in_time()
        yield up(reading is not None)
        if reading is not None:
            yield from families(reading)

    def _in_time(self) -> Reading | None:
        """None when Postgres is out of reach, or hangs now or since an earlier scrape."""
        if not self._is_reading.acquire(timeout=ANSWER_SECONDS):
            return None
        answers = queue.SimpleQueue[Reading | None]()
        threading.Thread(target=self._answer, args=[answers], daemon=True).start()
        try:
            return answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            logger.warning("The ledger has not answered a scrape for %s s.", ANSWER_SECONDS)
            return None

    def _answer(self, answers: "queue.SimpleQueue[Reading | None]") -> None:
        try:
            answers.put(self._read())
        except IngestError as error:
            logger.warning("The ledger did not answer a scrape: %s", error)
            answers.put(None)
        except Exception:
            logger.exception("A scrape failed.")
            answers.put(None)
        finally:
            self._is_reading.release()

    def _read(self) -> Reading:
        declared = self._declared.read()
        with self._deployment.ledger.transaction() as connection:
            health.limit_time(connection, _LIMIT)
            backlogs = health.backlogs(connection)
            classes = health.batch_classes(connection)
            tables = table_health.noted(connection)
        return Reading(
            [backlog for backlog in backlogs if backlog.ingestion in declared],
            [one for one in classes if one.ingestion in declared],
            self._settled.read(),
            [one for one in tables if one.ingestion in declared],
        )

    def _count_settled(self) -> dict[tuple[str, FileStatus], int] | None:
        try:
            with self._deployment.ledger.transaction() as connection:
                health.limit_time(connection, _COUNT_LIMIT)
                self._last_settled = health.settled_files(connection)
        except LedgerError as error:
            logger.warning("Settled files were not counted: %s", error)
        return self._last_settled

    def _load_declared(self) -> frozenset[str]:
        try:
            self._names = self._declared_names()
        except ConfigurationError as error:
            logger.warning("The ingestions are those that were declared before: %s", error)
        return self._names

    def _declared_names(self) -> frozenset[str]:
        found = load_declarations(self._deployment.settings.defs)
        return frozenset(declaration.ingestion.name for declaration in found)

"""Slices read by the tasks of a Spark cluster, one each, over `mapInArrow`.

Only what classic sessions and Spark Connect both have is used, so the cluster needs no jar: this
package, in the Python of its executors. A task that is lost is tried again by Spark, and of two
tries at one slice that both end (speculation) Spark hands over one; the data files of the other
have other names, and no snapshot ever names them.
"""

import logging
import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from ingest_assets import interrupts
from ingest_assets.engine import progress
from ingest_assets.engine.slices import ReadSlice, Slice, read
from ingest_assets.engine.spreading import ClusterError, ExecutorsDiedError
from ingest_assets.errors import IngestError

_SCHEMA = pa.schema([("number", pa.int64()), ("result", pa.binary())])
_SPARK_SCHEMA = "number long, result binary"
_DIED = re.compile(r"exited unexpectedly|ExecutorLostFailure|\(crashed\)")
_TOLD_EVERY = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class SparkCluster:
    """The cluster behind a Spark session, which is made when the first batch needs it."""

    def __init__(self, session: Callable[[], Any]) -> None:
        self._session = session

    def read(self, cuts: Sequence[Slice]) -> list[ReadSlice]:
        """What became of each slice, in order.

        Raises:
            ClusterError: there is no session, or the job failed.
            IngestError: as `slices.read`, of the first slice that could not be read.
        """
        if not cuts:
            return []
        tasks = [pickle.dumps(cut) for cut in cuts]
        try:
            session = self._session()
            results = self._collected(session, tasks)
        except Exception as error:
            raise _explained(error) from error
        return [_result(results[number]) for number in range(len(cuts))]

    def _collected(self, session: Any, tasks: Sequence[bytes]) -> dict[int, bytes]:
        """Waits in the main thread, so that an interrupt ends the job too."""
        count, is_time = len(tasks), progress.every(_TOLD_EVERY)
        with warnings.catch_warnings():
            # PySpark 4.2 says so of pandas 3, which nothing here uses.
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
            frame = session.range(0, count, 1, count).mapInArrow(
                partial(_read_each, tasks), _SPARK_SCHEMA
            )
            pool = ThreadPoolExecutor(1, thread_name_prefix="spark")
            try:
                with interrupts.held_back():
                    collecting = pool.submit(frame.collect)
                while not collecting.done():
                    interrupts.look([collecting])
                    progress.made()
                    if is_time():
                        logger.info("The cluster has not finished its %s slices yet", count)
                rows = collecting.result()
            except BaseException:
                with suppress(Exception):
                    session.interruptAll()
                raise
            finally:
                interrupts.end(pool)
        return {row["number"]: bytes(row["result"]) for row in rows}


def _read_each(
    tasks: Sequence[bytes], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Runs in a task: the results of the slices whose numbers come in, in the field `id`."""
    for batch in batches:
        for number in batch.column(0).to_pylist():
            try:
                result: ReadSlice | tuple[type[IngestError], str] = read(
                    pickle.loads(tasks[number])
                )
            except IngestError as error:  # the same at every try that Spark would make
                result = type(error), str(error)
            yield pa.record_batch([[number], [pickle.dumps(result)]], schema=_SCHEMA)


def _result(pickled: bytes) -> ReadSlice:
    result = pickle.loads(pickled)
    if isinstance(result, ReadSlice):
        return result
    kind, message = result
    raise kind(message)


def _explained(error: Exception) -> ClusterError:
    said = str(error)
    if _DIED.search(said):
        return ExecutorsDiedError(
            "The Spark executors died each time they read one of the slices; nothing of the batch "
            "is in the table. Its files are read again, each alone if that does not help. Spark "
            f"says: {_first(said)}"
        )
    return ClusterError(
        "The Spark cluster did not do the work; nothing of the batch is in the table. Check that "
        "SPARK_REMOTE or spark.master leads to it, and that the Python of its executors "
        f"(PYSPARK_PYTHON) has this version of ingest_assets. Spark says: {_first(said)}"
    )


def _first(said: str) -> str:
    """The lines of an exception that name a cause, of which Spark has many."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    causes = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return " ".join([*lines[:1], *causes[-1:]])[:1000] or "nothing"

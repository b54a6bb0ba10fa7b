"""Slices read by the tasks of a Spark cluster, one each, over `mapInArrow`.

Only what classic sessions and Spark Connect both have is used, so the cluster needs no jar: this
package, in the Python of its executors. A task that is lost is tried again by Spark, and of two
tries at one slice that both end (speculation) Spark hands over one; the data files of the other
have other names, and no snapshot ever names them.
"""

import dataclasses
import importlib.metadata
import logging
import os
import pickle
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from ingest_assets import interrupts
from ingest_assets.engine import progress
from ingest_assets.engine.slices import ReadSlice, Slice, read
from ingest_assets.engine.spreading import ClusterError, ExecutorsDiedError
from ingest_assets.errors import ConfigurationError, IngestError

_SCHEMA = pa.schema([("number", pa.int64()), ("result", pa.binary())])
_SPARK_SCHEMA = "number long, result binary"
_DIED = re.compile(r"exited unexpectedly|ExecutorLostFailure|\(crashed\)")
_TOLD_EVERY = timedelta(minutes=1)

logger = logging.getLogger(__name__)


class OtherVersionsError(ConfigurationError):
    """The executors have other versions of what decides about rows than the driver."""


def versions() -> dict[str, str]:
    """The versions, in this process, of what decides what a file's rows are and how they lie."""
    names = ("ingest_assets", "pyarrow", "pyiceberg")
    return {name: importlib.metadata.version(name) for name in names}


def _listed(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


@dataclass(frozen=True)
class _Tasks:
    """All slices of a job, which go to each of its tasks: what they share is there once.

    The metadata of a table of 1000 columns is about 100 KB.
    """

    shared: bytes
    files: Sequence[bytes]
    versions: Mapping[str, str]

    def slice(self, number: int) -> Slice:
        """The slice that the task of this number reads.

        Raises:
            OtherVersionsError: what reads here is not what the run was started with.
        """
        here = versions()
        if here != self.versions:
            raise OtherVersionsError(
                f"The executors have {_listed(here)}, and the run has {_listed(self.versions)}: "
                "they might read a file otherwise, so nothing was read. Install the same on both."
            )
        shared: Slice = pickle.loads(self.shared)
        return dataclasses.replace(shared, files=pickle.loads(self.files[number]))


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
        shared = pickle.dumps(dataclasses.replace(cuts[0], files=()))
        tasks = _Tasks(shared, [pickle.dumps(cut.files) for cut in cuts], versions())
        try:
            session = self._session()
            results = self._collected(session, tasks)
        except Exception as error:
            if _tells_a_secret(error):
                raise _explained(error) from None
            raise _explained(error) from error
        return [_result(results[number]) for number in range(len(cuts))]

    def _collected(self, session: Any, tasks: _Tasks) -> dict[int, bytes]:
        """Waits in the main thread, so that an interrupt ends the job too."""
        count, is_time = len(tasks.files), progress.every(_TOLD_EVERY)
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
                _interrupt(session)
                raise
            finally:
                interrupts.end(pool)
        return {row["number"]: bytes(row["result"]) for row in rows}


def _interrupt(session: Any) -> None:
    """The session's jobs are ended, as far as it can be reached."""
    with suppress(Exception):
        session.interruptAll()
        return
    with suppress(Exception):  # a classic session of PySpark 3.5 has the first only in name
        session.sparkContext.cancelAllJobs()


def _read_each(tasks: _Tasks, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in a task: the results of the slices whose numbers come in, in the field `id`."""
    for batch in batches:
        for number in batch.column(0).to_pylist():
            result: ReadSlice | _Refusal
            try:
                result = read(tasks.slice(number))
            except IngestError as error:  # the same at every try that Spark would make
                result = _Refusal(type(error), str(error), traceback.format_exc())
            yield pa.record_batch([[number], [pickle.dumps(result)]], schema=_SCHEMA)


@dataclass(frozen=True)
class _Refusal:
    """An error without what cannot be pickled."""

    kind: type[IngestError]
    message: str
    traceback: str

    def error(self) -> IngestError:
        """One of the same class, which tells of its first place; without parts of its own."""
        error = self.kind.__new__(self.kind, self.message)
        error.add_note(f"In a task of the cluster:\n{self.traceback}")
        return error


def _result(pickled: bytes) -> ReadSlice:
    result = pickle.loads(pickled)
    if isinstance(result, ReadSlice):
        return result
    raise result.error()


def _explained(error: Exception) -> ClusterError:
    said = _public(str(error))
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


def _tells_a_secret(error: Exception) -> bool:
    whole = "".join(traceback.format_exception(error))
    return _public(whole) != whole


def _public(said: str) -> str:
    """What PySpark says without the parameters of SPARK_REMOTE, of which one may be a token.

    It quotes them where it cannot read them, as in `sc://host:443;token=...`, which lacks a slash.
    """
    for parameter in os.environ.get("SPARK_REMOTE", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        for secret in (parameter, value if name == "token" else ""):
            said = said.replace(secret, "***") if secret else said
    return said

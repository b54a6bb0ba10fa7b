"""What the job of a batch takes along, and what becomes of a job that fails or is interrupted."""

import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from ingest_assets.engine import spark, spreading
from ingest_assets.engine.slices import Slice
from ingest_assets.engine.spark import SparkCluster
from ingest_assets.errors import DeclarationError
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop


class InThisProcess:
    """A session, and the frame of its one job, whose tasks run here one after the other."""

    def __init__(self) -> None:
        self.job_bytes: list[int] = []
        self._count = 0
        self._function: Callable[[Any], Any] = iter

    def range(self, _start: int, end: int, _step: int, _partitions: int) -> "InThisProcess":
        self._count = end
        return self

    def mapInArrow(self, function: Any, _schema: str) -> "InThisProcess":
        sent = pickle.dumps(function)
        self.job_bytes.append(len(sent))
        self._function = pickle.loads(sent)
        return self

    def collect(self) -> list[dict[str, Any]]:
        ids = (pa.record_batch([[number]], names=["id"]) for number in range(self._count))
        return [row for batch in self._function(ids) for row in batch.to_pylist()]


def _put(workshop: Workshop, count: int, **changes: Any) -> None:
    for number in range(count):
        workshop.put(f"{number:03d}", json_lines(orders(number * 10, **changes)))


def test_what_slices_share_is_sent_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "SLICE_FILES", 1)
    sizes: list[int] = []

    class Measured(SparkCluster):
        def read(self, cuts: Sequence[Slice]) -> Any:
            sizes.append(len(pickle.dumps(cuts[0])))
            return super().read(cuts)

    session = InThisProcess()
    _put(workshop, 12, **{f"column_{number}": number for number in range(100)})
    work.engine_pass(workshop.deployment, workshop.ingestion(), Measured(lambda: session))
    assert len(workshop.rows()) == 12 * 3
    assert session.job_bytes[0] < 2 * sizes[0]


def test_executors_of_other_versions_read_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Elsewhere(InThisProcess):
        def collect(self) -> list[dict[str, Any]]:
            with monkeypatch.context() as patched:
                patched.setattr(spark, "versions", lambda: {"pyarrow": "1.0"})
                return super().collect()

    _put(workshop, 3)
    work.engine_pass(workshop.deployment, workshop.ingestion(), SparkCluster(Elsewhere))
    assert (
        "The executors have pyarrow 1.0, and the run has ingest_assets" in capsys.readouterr().err
    )
    assert set(workshop.statuses().values()) == {"DISCOVERED"}


@pytest.mark.parametrize(
    ("remote", "said"),
    [
        ("sc://host:443;token=hush", "Port could not be cast to integer from '443;token=hush'"),
        ("sc://host:443/;token=hush==", "Parameter 'token=hush==' should be a key-value pair"),
        ("sc://host:443/;token=hush;user_id=me", "the server does not let hush in"),
    ],
)
def test_a_token_of_the_cluster_is_in_no_error(
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    remote: str,
    said: str,
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", remote)

    def session() -> Any:
        raise ValueError(said)

    _put(workshop, 2)
    work.engine_pass(workshop.deployment, workshop.ingestion(), SparkCluster(session))
    assert set(workshop.statuses().values()) == {"FAILED"}
    with workshop.deployment.ledger.transaction() as connection:
        recorded = connection.exec_driver_sql("SELECT error, traceback FROM ingest.attempts").all()
    captured = capsys.readouterr()
    assert "***" in str(recorded)
    assert "hush" not in f"{recorded} {captured.out} {captured.err} {caplog.text}"


def test_an_error_of_a_task_is_the_same_here_and_tells_where_it_was_raised(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_cut: Slice) -> Any:
        raise DeclarationError(["a.yaml: one", "a.yaml: two"])

    monkeypatch.setattr(spark, "read", read)
    caught: list[DeclarationError] = []

    class Watched(SparkCluster):
        def read(self, cuts: Sequence[Slice]) -> Any:
            try:
                return super().read(cuts)
            except DeclarationError as error:
                caught.append(error)
                raise

    _put(workshop, 2)
    work.engine_pass(workshop.deployment, workshop.ingestion(), Watched(InThisProcess))
    assert str(caught[0]) == "a.yaml: one\na.yaml: two"
    assert "raise DeclarationError" in caught[0].__notes__[0]
    assert set(workshop.statuses().values()) == {"DISCOVERED"}


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Also where the tests are a background job, which shells start with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("is_old", [False, True], ids=["PySpark 4", "classic PySpark 3.5"])
@pytest.mark.usefixtures("heeds_ctrl_c")
def test_an_interrupt_ends_the_job_and_frees_the_files(workshop: Workshop, is_old: bool) -> None:
    ended = threading.Event()

    class Endless(InThisProcess):
        def collect(self) -> list[dict[str, Any]]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            assert ended.wait(10), "the job was not ended"
            return []

        def interruptAll(self) -> None:
            if is_old:
                raise RuntimeError("[ONLY_SUPPORTED_WITH_SPARK_CONNECT]")
            ended.set()

        @property
        def sparkContext(self) -> "Endless":
            assert is_old
            return self

        def cancelAllJobs(self) -> None:
            ended.set()

    _put(workshop, 2)
    with pytest.raises(KeyboardInterrupt):
        work.engine_pass(workshop.deployment, workshop.ingestion(), SparkCluster(Endless))
    assert ended.is_set()
    assert set(workshop.statuses().values()) == {"DISCOVERED"}
    assert workshop.rows() == []

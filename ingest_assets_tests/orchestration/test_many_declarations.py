"""What many declarations cost, in CPU seconds, which a busy machine stretches less than others."""

import importlib
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from ingest_assets import definitions
from ingest_assets_tests.end_to_end.workshop import attributes, declare

pytestmark = pytest.mark.alone
COUNT = 200
ORDERS = dg.AssetKey(["raw", "feed_0"])


@pytest.fixture
def location(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dg.RepositoryDefinition]:
    """Each call is `definitions.repository` as a new process loads it."""
    for number in range(COUNT):
        declare(tmp_path, attributes("landing", f"feed_{number}"))
    monkeypatch.setenv("INGEST_DEFS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ingest_assets.definitions", definitions)

    def load() -> dg.RepositoryDefinition:
        sys.modules.pop("ingest_assets.definitions", None)
        return importlib.import_module("ingest_assets.definitions").repository

    return load


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        work()
    return time.process_time() - started


def test_a_run_among_many_pays_a_fraction_of_loading_them_all(
    location: Callable[[], dg.RepositoryDefinition],
) -> None:
    def whole() -> None:
        repository = location()
        repository.load_all_definitions()
        assert len(RepositorySnap.from_def(repository).asset_nodes) == COUNT

    def of_a_run() -> None:
        """As a run's process asks: for all assets first, and then for those of the run."""
        repository = location()
        repository.get_maybe_subset_job_def("__ASSET_JOB")
        repository.get_maybe_subset_job_def("__ASSET_JOB", asset_selection={ORDERS})

    of_a_run()  # what is imported late is imported now
    all_of_them, one = _cpu_seconds(whole), _cpu_seconds(of_a_run)
    assert all_of_them < 15
    assert one < all_of_them / 3

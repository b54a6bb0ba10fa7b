"""A run's process loads what the run is for, and gets the same job as from the whole location."""

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan

from ingest_assets import definitions
from ingest_assets.errors import DeclarationError
from ingest_assets_tests.end_to_end.workshop import attributes, declare

JOB = "__ASSET_JOB"
ORDERS, EVENTS = dg.AssetKey(["raw", "orders"]), dg.AssetKey(["raw", "events"])


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ModuleType]]:
    """Each call is the code location as a new process loads it, of three declarations."""
    for name in ("orders", "events", "visits"):
        declare(tmp_path, attributes("landing", name))
    monkeypatch.setenv("INGEST_DEFS", str(tmp_path))

    def load() -> ModuleType:
        sys.modules.pop("ingest_assets.definitions", None)
        return importlib.import_module("ingest_assets.definitions")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield load
    sys.modules["ingest_assets.definitions"] = definitions


def _is_whole(repository: dg.RepositoryDefinition) -> bool:
    return "_repository_data" in vars(repository)


def _steps(job: dg.JobDefinition) -> list[str]:
    return [step.key for step in create_execution_plan(job).steps]


@pytest.mark.parametrize("keys", [{ORDERS}, {ORDERS, EVENTS}], ids=["one", "two"])
def test_the_job_of_some_assets_is_the_same_without_the_others(
    fresh: Callable[[], ModuleType], keys: set[dg.AssetKey]
) -> None:
    part, whole = fresh().repository, fresh().repository
    whole.load_all_definitions()
    found, wanted = (
        repository.get_maybe_subset_job_def(JOB, asset_selection=keys)
        for repository in (part, whole)
    )
    assert not _is_whole(part)
    assert _is_whole(whole)
    assert _steps(found) == _steps(wanted)
    assert found.asset_layer.selected_asset_keys == keys
    assert found.asset_layer.asset_graph.asset_check_keys == (
        wanted.asset_layer.asset_graph.asset_check_keys
    )
    assert set(found.resource_defs) == set(wanted.resource_defs)
    assert found.executor_def is wanted.executor_def


def test_a_declaration_that_breaks_afterwards_does_not_stop_the_runs_of_others(
    fresh: Callable[[], ModuleType], tmp_path: Path
) -> None:
    (tmp_path / "visits" / "defs.yaml").write_text("type: [")
    repository = fresh().repository
    assert repository.get_maybe_subset_job_def(JOB, asset_selection={ORDERS})
    with pytest.raises(DeclarationError, match=r"visits/defs\.yaml: is not YAML"):
        repository.load_all_definitions()


def test_what_no_declaration_has_is_asked_of_the_whole(fresh: Callable[[], ModuleType]) -> None:
    repository = fresh().repository
    stranger = dg.AssetKey(["raw", "nobody"])
    with pytest.raises(dg.DagsterInvalidSubsetError, match="nobody"):
        repository.get_maybe_subset_job_def(JOB, asset_selection={ORDERS, stranger})
    assert _is_whole(repository)
    other = fresh().repository
    assert other.get_maybe_subset_job_def("resolve_schema_change").name == "resolve_schema_change"


def test_a_project_of_its_own_merges_the_definitions(fresh: Callable[[], ModuleType]) -> None:
    module = fresh()

    @dg.asset(deps=[ORDERS])
    def totals() -> None: ...

    merged = dg.Definitions.merge(module.defs, dg.Definitions(assets=[totals]))
    assert module.defs is module.defs
    keys = merged.get_repository_def().asset_graph.get_all_asset_keys()
    assert {ORDERS, EVENTS, dg.AssetKey("totals")} <= keys


def test_dagsters_first_question_loads_nothing_until_the_job_of_all_is_used(
    fresh: Callable[[], ModuleType],
) -> None:
    """`core_execute_run` loads the job of all assets and drops it, when a run is of some."""
    repository, whole = fresh().repository, fresh().repository
    job = repository.get_maybe_subset_job_def(JOB)
    assert not _is_whole(repository)
    repository.get_maybe_subset_job_def(JOB, asset_selection={ORDERS})
    assert not _is_whole(repository)
    whole.load_all_definitions()
    assert sorted(_steps(job)) == sorted(_steps(whole.get_maybe_subset_job_def(JOB)))
    assert _is_whole(repository)
    part = job.get_subset(asset_selection={EVENTS})
    assert part.asset_layer.selected_asset_keys == {EVENTS}

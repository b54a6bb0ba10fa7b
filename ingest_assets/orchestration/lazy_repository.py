"""The repository of the code location, of which a run's process loads only what the run is for.

Every run has a process of its own, and Dagster builds the whole location in it again: of 1000
ingestions that takes longer than most runs. What the run is for is known when its job is asked for;
but Dagster asks for the job of all assets first, to see whether it loads, and does not use it.

`RepositoryDefinition` is public, its constructor's argument `RepositoryData` and the method through
which Dagster asks for the job of a run, `get_maybe_subset_job_def`, are not; the order in which it
asks is that of `core_execute_run`. Read in dagster 1.13.27. To drop: when Dagster reconstructs the
selected assets of a location alone.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.repository_definition import (
    SINGLETON_REPOSITORY_NAME,
    RepositoryData,
)


class LazyRepository(dg.RepositoryDefinition):
    """Named and filled as that of the definitions `whole`, which are made at the first question.

    Two questions are answered without them as long as nothing else was asked. One is the job of
    selected assets, when `part` has definitions of those assets and all they need; it answers None
    when it has not. The other is the job of all assets, which is made when it is used.
    """

    def __init__(
        self,
        whole: Callable[[], dg.Definitions],
        part: Callable[[frozenset[dg.AssetKey]], dg.Definitions | None],
    ) -> None:
        # Not the parent's, which wants the whole data now.
        self._whole = whole
        self._part = part
        self._name = SINGLETON_REPOSITORY_NAME
        self._description = None
        self._metadata = {}
        self._repository_load_data = None

    @cached_property
    def _repository_data(self) -> RepositoryData:  # type: ignore[override]
        return self._whole().get_repository_def()._repository_data

    def get_maybe_subset_job_def(
        self,
        job_name: str,
        op_selection: Iterable[str] | None = None,
        asset_selection: AbstractSet[dg.AssetKey] | None = None,
        asset_check_selection: AbstractSet[dg.AssetCheckKey] | None = None,
    ) -> dg.JobDefinition:
        """As the parent's: the same job, whether the rest of the location is loaded or not."""
        is_loaded = "_repository_data" in self.__dict__
        is_selected = bool(op_selection or asset_selection or asset_check_selection)
        if job_name == IMPLICIT_ASSET_JOB_NAME and not is_loaded and not is_selected:
            return _UnusedJob(lambda: self.get_job(job_name))
        if job_name == IMPLICIT_ASSET_JOB_NAME and not is_loaded and asset_selection:
            checked = {key.asset_key for key in asset_check_selection or ()}
            part = self._part(frozenset({*asset_selection, *checked}))
            if part is not None:
                job = part.get_repository_def().get_job(job_name)
                return job.get_subset(
                    asset_selection=asset_selection, asset_check_selection=asset_check_selection
                )
        return self.get_job(job_name).get_subset(
            op_selection=op_selection,
            asset_selection=asset_selection,
            asset_check_selection=asset_check_selection,
        )


class _UnusedJob(dg.JobDefinition):
    """The job that `made` makes; whoever looks into it looks into that one."""

    def __init__(self, made: Callable[[], dg.JobDefinition]) -> None:
        # Not the parent's: each of its attributes that is missing here is asked of the job itself.
        self._made = made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)

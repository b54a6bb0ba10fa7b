"""A Dagster project of somebody's own that uses the component, without an executor of ours.

`python -c "from ... import own_project; own_project.main()" TAGS` executes its job as a run with
these tags: Dagster's default executor gives each step a process of its own.
"""

import json
import os
import sys
from signal import Signals

import dagster as dg

from ingest_assets.components import S3ToIceberg
from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.engine import steps
from ingest_assets.engine.steps import Step
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.names import IO_MANAGER_KEY, asset_key
from ingest_assets.settings import Settings

KILLED_AT = "OWN_PROJECT_IS_KILLED_AT"


def own_job() -> dg.JobDefinition:
    """A job over the first declared ingestion; its steps are killed where the environment says."""
    if KILLED_AT in os.environ:
        fatal = Step[os.environ[KILLED_AT]]
        steps.watch(
            lambda step, _: os.kill(os.getpid(), Signals.SIGKILL) if step is fatal else None
        )
    ingestion = load_declarations(Settings.from_env().defs)[0].ingestion
    job = dg.define_asset_job("own", dg.AssetSelection.assets(asset_key(ingestion)))
    resources = {IO_MANAGER_KEY: IcebergIOManager()}
    return dg.Definitions.merge(
        S3ToIceberg(ingestion).definitions(), dg.Definitions(jobs=[job], resources=resources)
    ).resolve_job_def("own")


def main() -> None:
    """The job has run; exit code 1 if it failed."""
    tags = json.loads(sys.argv[1])
    with (
        dg.DagsterInstance.get() as instance,
        dg.execute_job(dg.reconstructable(own_job), instance, tags=tags) as result,
    ):
        sys.exit(not result.success)

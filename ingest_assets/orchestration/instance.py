"""The Dagster instance of a deployment."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ingest_assets.errors import ServiceError
from ingest_assets.orchestration.postgres_pool import STORAGE_ERRORS
from ingest_assets.settings import Settings

INSTANCE_FILE = Path(__file__).parent / "dagster.yaml"


def prepare_home(settings: Settings) -> Path:
    """The Dagster home exists and has a `dagster.yaml`; one that is there already is kept."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    instance_file = home / "dagster.yaml"
    if not instance_file.exists():
        # It appears whole: Dagster would take an empty one for an instance on SQLite.
        unfinished = home / f"dagster.yaml.{os.getpid()}"
        shutil.copyfile(INSTANCE_FILE, unfinished)
        unfinished.replace(instance_file)
    return home


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of the deployment's Dagster home, closed at the end.

    Raises:
        ServiceError: the instance's storage does not answer, at first or in what is done inside.
    """
    home = prepare_home(settings)
    try:
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance
    except STORAGE_ERRORS as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise ServiceError(
            f"The storage of the Dagster instance in {home} did not do the work: {cause}. What was "
            "committed is in the ledger, and Dagster is told of it by the next pass. Check that "
            "the server named in its dagster.yaml runs."
        ) from error

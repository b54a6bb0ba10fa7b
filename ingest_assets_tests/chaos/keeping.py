"""The maintenance that a worker process does, and where it ends itself."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from signal import Signals

from ingest_assets.declaration.maintenance import Maintenance
from ingest_assets.deployment import Deployment
from ingest_assets.engine import maintenance
from ingest_assets.engine.chores import Chore
from ingest_assets.ingestion import Ingestion

MEANWHILE = (Chore.COMPACT, Chore.MANIFESTS, Chore.EXPIRE)
"""Not the orphans: on a later day's clock the files of now are old."""
MUCH = Maintenance(min_files=2, keep_snapshots=1)


def keep(
    deployment: Deployment, ingestion: Ingestion, step: str = "", chores: tuple[Chore, ...] = ()
) -> None:
    """Most of it is put together and expires, as on a later day; killed when it comes to a step."""
    declared = ingestion.model_copy(update={"maintenance": MUCH})

    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), Signals.SIGKILL)

    later = datetime.now(UTC) + timedelta(days=30)
    report = maintenance.maintain(deployment, declared, chores or MEANWHILE, later, reached)
    assert not report.has_failed, report
    assert not any(table.refused for table in report.tables), report


def killed_at(step: str) -> Callable[[Deployment, Ingestion], None]:
    """`keep` for a worker process."""
    return partial(keep, step=step)

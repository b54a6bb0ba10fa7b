"""The code location: every declaration of `INGEST_DEFS`, and what holds for all of them.

Dagster loads `repository`. `defs` are the same definitions for a project that merges them into its
own; they are made when they are asked for.
"""

from collections.abc import Sequence
from functools import cache

import dagster as dg

from ingest_assets import logs
from ingest_assets.components import S3ToIceberg
from ingest_assets.declaration.declarations import declarations_of_tables, load_declarations
from ingest_assets.ingestion import Declaration
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.jobs import build_resolve_job
from ingest_assets.orchestration.lazy_repository import LazyRepository
from ingest_assets.orchestration.maintenance_job import (
    build_maintain_job,
    build_maintenance_schedules,
)
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.orchestration.preview_job import build_preview_job
from ingest_assets.orchestration.reconcile_job import build_reconcile_job
from ingest_assets.orchestration.replay_job import build_replay_job
from ingest_assets.orchestration.upkeep import build_upkeep_sensor
from ingest_assets.settings import Settings

logs.configure()


def _definitions(declarations: Sequence[Declaration]) -> dg.Definitions:
    ingestions = [declaration.ingestion for declaration in declarations]
    maintain = build_maintain_job()
    return dg.Definitions.merge(
        *(S3ToIceberg(ingestion).definitions() for ingestion in ingestions),
        dg.Definitions(
            jobs=[
                build_resolve_job(),
                build_replay_job(),
                build_reconcile_job(),
                build_preview_job(),
                maintain,
            ],
            schedules=list(build_maintenance_schedules(ingestions, maintain)),
            sensors=[build_upkeep_sensor(ingestions)],
            resources={IO_MANAGER_KEY: IcebergIOManager()},
            executor=dg.in_process_executor,
        ),
    )


@cache
def _whole() -> dg.Definitions:
    return _definitions(load_declarations(Settings.from_env().defs))


def _part(asset_keys: frozenset[dg.AssetKey]) -> dg.Definitions | None:
    """The definitions of these assets and what holds for all; None when one is not declared."""
    tables = {".".join(key.path) for key in asset_keys}
    declarations = declarations_of_tables(Settings.from_env().defs, tables)
    return None if declarations is None else _definitions(declarations)


def __getattr__(name: str) -> dg.Definitions:
    if name == "defs":
        return _whole()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


repository = LazyRepository(_whole, _part)

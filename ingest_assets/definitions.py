"""The code location: every declaration of `INGEST_DEFS`, and what holds for all of them."""

import dagster as dg

from ingest_assets.components import S3ToIceberg
from ingest_assets.declarations import load_declarations
from ingest_assets.orchestration.io_manager import IcebergIOManager
from ingest_assets.orchestration.jobs import build_resolve_job
from ingest_assets.orchestration.names import IO_MANAGER_KEY
from ingest_assets.settings import Settings

defs = dg.Definitions.merge(
    *(
        S3ToIceberg(declaration.ingestion).definitions()
        for declaration in load_declarations(Settings.from_env().defs)
    ),
    dg.Definitions(
        jobs=[build_resolve_job()],
        resources={IO_MANAGER_KEY: IcebergIOManager()},
        executor=dg.in_process_executor,
    ),
)

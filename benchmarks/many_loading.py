"""What it costs to load a code location, by stage, in a process of its own.

    INGEST_DEFS=FOLDER python -m benchmarks.many_loading ours|plain

The stages are those of a code server: import, declarations, definitions, repository, snapshot.
"""

import importlib
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

WAYS = ("ours", "plain")


class Stages:
    """Wall and CPU seconds of each stage, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}
        self._last = (time.perf_counter(), time.process_time())

    def end(self, name: str) -> None:
        """What was done since the last stage was this one."""
        now = (time.perf_counter(), time.process_time())
        wall, cpu = now[0] - self._last[0], now[1] - self._last[1]
        self.seconds[name] = (round(wall, 2), round(cpu, 2))
        self._last = now


def measure(one: Path, many: Path) -> dict[str, Any]:
    """By way and number of ingestions; the second figure of each pair is CPU seconds."""
    return {way: {"one": _in_process(way, one), "many": _in_process(way, many)} for way in WAYS}


def _in_process(way: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.many_loading", way],
        env={**os.environ, "INGEST_DEFS": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    stages: dict[str, Any] = json.loads(done.stdout)
    return stages


def _load(way: str) -> dict[str, Any]:
    stages = Stages()
    importlib.import_module("ingest_assets.components")
    importlib.import_module("ingest_assets.orchestration.io_manager")
    importlib.import_module("ingest_assets.orchestration.jobs")
    stages.end("imports")
    folder = Path(os.environ["INGEST_DEFS"])
    if way == "ours":
        defs = importlib.import_module("ingest_assets.definitions").defs
    else:
        defs = _plain(folder)
    stages.end("definitions")
    repository = defs.get_repository_def()
    repository.load_all_definitions()
    stages.end("repository")
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster_shared.serdes import serialize_value

    snapshot = serialize_value(RepositorySnap.from_def(repository))
    stages.end("snapshot")
    walls, cpus = zip(*stages.seconds.values(), strict=True)
    return {
        **stages.seconds,
        "whole": (round(sum(walls), 2), round(sum(cpus), 2)),
        "assets": len(list(repository.asset_graph.get_all_asset_keys())),
        "snapshot_mb": round(len(snapshot) / 1e6, 1),
    }


def _plain(folder: Path) -> Any:
    """As `dg` lays out a project: `<package>/defs` with a component's defs.yaml a folder."""
    import dagster as dg

    from ingest_assets.orchestration.io_manager import IcebergIOManager
    from ingest_assets.orchestration.names import IO_MANAGER_KEY

    package, project = folder.parent, folder.parent.parent
    (package / "__init__.py").touch()
    (project / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n'
        f'[tool.dg.project]\nroot_module = "{package.name}"\n'
    )
    sys.path.insert(0, str(project))
    resources = {IO_MANAGER_KEY: IcebergIOManager()}
    shared = dg.Definitions(resources=resources, executor=dg.in_process_executor)
    return dg.Definitions.merge(dg.load_from_defs_folder(path_within_project=folder), shared)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(_load(sys.argv[1])))

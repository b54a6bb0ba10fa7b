"""What Dagster's bookkeeping costs a file: one run over many partitions, two checks each.

    python -m benchmarks.bookkeeping --files 1000

The same run of a graph-backed asset, that reads nothing and writes nothing, on the stock Postgres
storage and on ours, in one Postgres server of its own. `planning` is `create_run`, `events` what
the asset reports, `rest` the run around them.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import yaml

from benchmarks.databases import new_database
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets.orchestration import events

FILES_PARTITIONS = dg.DynamicPartitionsDefinition(name="orders")
ASSET_KEY = dg.AssetKey(["raw", "orders"])
CHECKS = ("schema_compatible", "rows_parsed")
STOCK = {
    "run_storage": ("dagster_postgres.run_storage", "PostgresRunStorage"),
    "event_log_storage": ("dagster_postgres.event_log", "PostgresEventLogStorage"),
    "schedule_storage": ("dagster_postgres.schedule_storage", "PostgresScheduleStorage"),
}
OURS = {
    "run_storage": ("ingest_assets.orchestration.instance_storage", "PooledRunStorage"),
    "event_log_storage": (
        "ingest_assets.orchestration.event_log_storage",
        "BulkEventLogStorage",
    ),
    "schedule_storage": ("ingest_assets.orchestration.instance_storage", "PooledScheduleStorage"),
}


class Clock:
    """Wall seconds and CPU seconds, of this process and of the Postgres server, by stage."""

    def __init__(self, postmaster_pid: int) -> None:
        self._postmaster = psutil.Process(postmaster_pid)
        self.stages: dict[str, dict[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, own = time.perf_counter(), time.process_time()
        yield
        self.stages[name] = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - own,
        }

    def postgres_cpu_seconds(self) -> float:
        """Of all backends that live or have ended; the postmaster counts those it has reaped."""
        processes = [self._postmaster, *self._postmaster.children()]
        times = [process.cpu_times() for process in processes]
        reaped = self._postmaster.cpu_times()
        return sum(t.user + t.system for t in times) + reaped.children_user + reaped.children_system


def orders_job(clock: Clock) -> dg.Definitions:
    """An asset as our component makes them, without the work: an op that only reports."""

    @dg.op(
        out={
            "result": dg.Out(dg.Nothing, is_required=False),
            **{check: dg.Out(dg.Nothing, is_required=False) for check in CHECKS},
        }
    )
    def report(context: dg.OpExecutionContext) -> Iterator[dg.Output[None]]:
        keys = context.partition_keys
        with clock.stage("materializations"):
            events.log_materializations(
                context, ASSET_KEY, [(key, _metadata(number)) for number, key in enumerate(keys)]
            )
        with clock.stage("check evaluations"):
            events.log_check_evaluations(
                context,
                [
                    dg.AssetCheckEvaluation(
                        asset_key=ASSET_KEY,
                        check_name=check,
                        passed=True,
                        partition=key,
                        metadata={"differences": 0},
                    )
                    for key in keys
                    for check in CHECKS
                ],
            )
        # an output of the asset would mark every key of the range, so there is none
        yield from ()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        check_specs = [
            dg.AssetCheckSpec(check, asset=ASSET_KEY, partitions_def=FILES_PARTITIONS)
            for check in CHECKS
        ]

    @dg.graph_asset(
        key=ASSET_KEY,
        partitions_def=FILES_PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs,
    )
    def orders() -> Any:
        outputs = report()
        return {
            "result": outputs.result,
            **{spec.get_python_identifier(): getattr(outputs, spec.name) for spec in check_specs},
        }

    return dg.Definitions(assets=[orders], executor=dg.in_process_executor)


def _metadata(number: int) -> dict[str, Any]:
    return {
        "rows": 1000 + number,
        "rescued": 0,
        "rejected": 0,
        "size_bytes": 50_000,
        "seconds": 0.01,
        "etag": f"{number:032x}",
        "schema_version": 1,
        "snapshot_id": 7_812_345_678_901_234_567,
        "source_uri": f"s3://landing/orders/2026/01/31/part-{number:08d}.json",
    }


def measure(postgres_url: str, postmaster_pid: int, storages: Any, files: int) -> dict[str, Any]:
    """Seconds and CPU by stage for one run over `files` partitions on a new instance."""
    os.environ.pop("DAGSTER_EVENT_BATCH_SIZE", None)
    clock = Clock(postmaster_pid)
    with tempfile.TemporaryDirectory() as home:
        config = {
            name: {"module": module, "class": class_name, "config": {"postgres_url": postgres_url}}
            for name, (module, class_name) in storages.items()
        }
        config["telemetry"] = {"enabled": False}
        Path(home, "dagster.yaml").write_text(yaml.safe_dump(config))
        with dg.DagsterInstance.from_config(home) as instance:
            return _measure_run(instance, clock, files)


def _measure_run(instance: dg.DagsterInstance, clock: Clock, files: int) -> dict[str, Any]:
    keys = [f"2026/01/31/part-{number:08d}.json" for number in range(files)]
    instance.add_dynamic_partitions("orders", keys)
    job = orders_job(clock).resolve_implicit_global_asset_job_def()
    tags = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    postgres_before = clock.postgres_cpu_seconds()
    create_run = instance.create_run_for_job

    def timed_create_run(*args: Any, **kwargs: Any) -> Any:
        with clock.stage("planning"):
            return create_run(*args, **kwargs)

    instance.create_run_for_job = timed_create_run  # type: ignore[method-assign]
    with clock.stage("whole run"):
        result = job.execute_in_process(
            instance=instance, tags=tags, asset_selection=[ASSET_KEY], raise_on_error=True
        )
    assert result.success
    materialized = instance.get_materialized_partitions(ASSET_KEY)
    assert len(materialized) == files
    stages = clock.stages
    whole = stages["whole run"]
    return {
        "seconds": round(whole["seconds"], 2),
        "ms_per_file": round(whole["seconds"] / files * 1000, 3),
        "cpu_ms_per_file": round(whole["cpu_seconds"] / files * 1000, 3),
        "postgres_cpu_ms_per_file": round(
            (clock.postgres_cpu_seconds() - postgres_before) / files * 1000, 3
        ),
        "stage_seconds": {name: round(stage["seconds"], 3) for name, stage in stages.items()},
        "stage_cpu_seconds": {
            name: round(stage["cpu_seconds"], 3) for name, stage in stages.items()
        },
        "planning_share": round(stages["planning"]["seconds"] / whole["seconds"], 2),
    }


def run(files: int = 1000, storages: tuple[str, ...] = ("ours", "stock")) -> dict[str, Any]:
    """Both storages one after the other, each in its own database of one new server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        pid = int(Path(folder, "postgres", "server.pid").read_text())
        results = {}
        for name in storages:
            # The first database is to warm the caches.
            for number, count in enumerate((10, files)):
                url = new_database(server.url, f"{name}_{number}")
                results[name] = measure(url, pid, {"ours": OURS, "stock": STOCK}[name], count)
        return {"files": files, **results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--storages", nargs="+", default=["ours", "stock"])
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.files, tuple(arguments.storages)), indent=2))


if __name__ == "__main__":
    main()

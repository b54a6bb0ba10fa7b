"""How often the sensors come round when nothing is new, with and without buckets that are dead.

A round is the time between two ticks of one sensor, which asks for one every 30 s.
"""

import contextlib
import itertools
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from benchmarks.many_declarations import declare
from benchmarks.many_services import Running, Services, SilentServer
from ingest_assets.settings import SENSORS_ON_VARIABLE

WARM_UP_SECONDS = 600
MEASURED_SECONDS = 90
REFUSED = "http://127.0.0.1:9"


def measure(services: Services, defs: Path, ingestions: int, dead: int) -> dict[str, Any]:
    """With all buckets well, and with `dead` ingestions on servers that are silent or refuse."""
    well = _measure(services, defs, ingestions)
    with SilentServer() as silent:
        connections = {
            **{f"silent_{n}": {"endpoint_url": silent.address} for n in range(dead)},
            "refused": {"endpoint_url": REFUSED},
        }
        (defs / "connections.yaml").write_text(yaml.safe_dump(connections))
        for number in range(dead):
            declare(defs, number + 1, "refused" if number % 2 else f"silent_{number}")
        return {"well": well, f"{dead}_dead": _measure(services, defs, ingestions, dead)}


def _measure(services: Services, defs: Path, ingestions: int, dead: int = 0) -> dict[str, Any]:
    with services.dagster(defs, **{SENSORS_ON_VARIABLE: "1"}) as running:
        beginning = time.time()
        while len(_ticks(running, beginning, dead)) < ingestions - dead:
            if time.time() - beginning > WARM_UP_SECONDS:
                raise TimeoutError(running.last_words())
            time.sleep(2)
        first_round = time.time() - beginning
        began, before = time.time(), running.cpu_seconds()
        time.sleep(MEASURED_SECONDS)
        after = running.cpu_seconds()
        times = _ticks(running, began, dead)
    gaps = [
        later - earlier
        for found in times.values()
        for earlier, later in itertools.pairwise(sorted(found))
    ]
    count = sum(len(found) for found in times.values())
    return {
        "first_round_seconds": round(first_round, 1),
        "sensors": len(times),
        "ticks_a_second": round(count / MEASURED_SECONDS, 1),
        "round_seconds_median": round(statistics.median(gaps), 1) if gaps else None,
        "round_seconds_longest": round(max(gaps), 1) if gaps else None,
        "cpu_ms_a_tick": {
            part: round((after[part] - before[part]) / count * 1000, 1) for part in after
        },
    }


def _ticks(running: Running, since: float, dead: int) -> dict[str, list[float]]:
    """When the finished ticks of each ingestion began, but not of those that are dead."""
    url = running.env["INGEST_POSTGRES_URL"].replace("+psycopg2", "")
    found = defaultdict(list)
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT substring(tick_body FROM 'feed_(\\d+)_sensor'),"
            " extract(epoch FROM timestamp AT TIME ZONE 'UTC') FROM job_ticks"
            " WHERE status <> 'STARTED' AND timestamp >= to_timestamp(%s) AT TIME ZONE 'UTC'",
            (since,),
        )
        for number, began in cursor.fetchall():
            if number is not None and not 1 <= int(number) <= dead:
                found[number].append(float(began))
    return found

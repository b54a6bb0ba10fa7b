"""Many ingestions in one code location: loading, the start of a run, and a round of the sensors.

    python -m benchmarks many [--ingestions 1000] [--parts loading starting rounds]

Each figure is taken beside its counterpart in the same run: loading beside Dagster's plain way (a
component a folder), the start of a run beside that with one ingestion, a round beside one in which
some buckets do not answer.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks import many_loading, many_rounds, many_starts
from benchmarks.many_declarations import BUCKET, declared
from benchmarks.many_services import Services

PARTS = ("loading", "starting", "rounds")
DEAD = 10


def run(ingestions: int, parts: Sequence[str]) -> dict[str, Any]:
    """The figures of the parts, and of the machine that gave them."""
    found: dict[str, Any] = {
        "ingestions": ingestions,
        "cores": psutil.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    with tempfile.TemporaryDirectory(prefix="many-") as name:
        folder = Path(name)
        one, many = (
            declared(folder / part / "feeds" / "defs", count)
            for part, count in (("one", 1), ("many", ingestions))
        )
        if "loading" in parts:
            found["loading"] = many_loading.measure(one, many)
        if {"starting", "rounds"} & set(parts):
            with Services(folder / "services", BUCKET) as services:
                if "starting" in parts:
                    found["starting"] = many_starts.measure(services, one, many)
                if "rounds" in parts:
                    found["rounds"] = many_rounds.measure(services, many, ingestions, DEAD)
    return found

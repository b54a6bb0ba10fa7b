"""What a tick costs does not grow with what the ledger holds."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.alone]

RATIO = 1.6
"""The target of the benchmark is 1.2; a tick of this size takes a third of a CPU second."""
SIZE = ["--files", "50000", "--live", "5000", "--repeat", "2"]


def test_a_tick_on_a_full_ledger_costs_what_it_costs_on_a_new_one() -> None:
    command = [sys.executable, "-m", "benchmarks", "growth", *SIZE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    ratio = json.loads(done.stdout)["tick"]["full_over_empty"]
    assert ratio["cpu_seconds"] < RATIO, done.stdout
    assert ratio["postgres_cpu_seconds"] < RATIO, done.stdout

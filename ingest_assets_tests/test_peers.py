"""The benchmark beside other libraries: its table, and one peer whose parts the product has."""

import ast
import sys
from pathlib import Path

import pytest

import benchmarks.peer
from benchmarks.ingestion import BUCKET
from benchmarks.measure import Cost
from benchmarks.peer_report import as_markdown
from benchmarks.peer_table import LeftTable, left_table
from benchmarks.peers import PEERS, Comparison, Measured, not_yet_run, run_peer, versions
from benchmarks.workloads import WORKLOADS
from ingest_assets_tests.conftest import S3Server

_PROGRAMS = Path(benchmarks.peer.__file__).parent
_SCALE = 0.005
_ROWS = 2500


def test_a_peer_writes_every_row_of_a_workload_in_one_commit(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    workload = WORKLOADS["A"]
    for key, body in workload.files(_SCALE):
        s3.put(BUCKET, f"{workload.name}/{key}", body)
    measured = not_yet_run(PEERS["duckdb"], versions(sys.executable))
    run_peer(measured, workload, "duckdb", sys.executable, tmp_path / "duckdb")
    assert measured.failure is None
    assert measured.tables == [LeftTable(_ROWS, commits=1)]
    assert measured.costs[0].cpu_seconds > 0


def test_a_peer_that_fails_says_why_in_one_line(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    measured = Measured("duckdb")
    workload = WORKLOADS["C"]  # no object of it is there
    run_peer(measured, workload, "duckdb", sys.executable, tmp_path / "duckdb")
    assert measured.failure is not None
    assert "No files found" in measured.failure
    assert measured.costs == []


def test_a_peer_that_is_not_installed_is_named_and_not_run() -> None:
    assert not_yet_run(PEERS["spark"], {"pyiceberg": "0.12.0"}).failure == "not installed: pyspark"


def test_a_folder_without_a_table_has_none(tmp_path: Path) -> None:
    assert left_table(tmp_path) is None


def test_every_peer_has_a_program_and_every_program_is_a_peer() -> None:
    programs = {path.stem for path in _PROGRAMS.glob("*.py")} - {"__init__", "job"}
    assert programs == set(PEERS)


@pytest.mark.parametrize("path", sorted(_PROGRAMS.glob("*.py")), ids=lambda path: path.stem)
def test_no_program_imports_the_product(path: Path) -> None:
    imported = {
        node.module or ""
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert not [module for module in imported if module.startswith("ingest_assets")]


def test_the_table_shows_lost_rows_failures_and_what_ours_costs_without_its_start() -> None:
    comparison = Comparison(
        workload="A",
        expected_rows=1000,
        floor=_measured("floor", 2.0, None),
        ours=_measured("ours", 7.0, LeftTable(1000, 1)),
        startup=_measured("ours, start-up", 4.0, None),
        peers=[
            Measured("daft", failure="not installed: daft"),
            _measured("slow", 9.0, LeftTable(1000, 3)),
            _measured("lossy", 1.0, LeftTable(999, 1)),
        ],
    )
    assert as_markdown(comparison).splitlines()[4:] == [
        "| floor | 2.00 | 1.00 | 1.5 | 300 | no Iceberg table |  |",
        "| ours | 7.00 | 3.50 | 1.5 | 300 | all | 1 |",
        "| ours, start-up apart | 3.00 | 1.50 |  |  |  |  |",
        "| lossy | 1.00 | 0.50 | 1.5 | 300 | **999** | 1 |",
        "| slow | 9.00 | 4.50 | 1.5 | 300 | all | 3 |",
        "| daft | not installed: daft |  |  |  |  |  |",
    ]


def _measured(title: str, cpu_seconds: float, table: LeftTable | None) -> Measured:
    return Measured(title, [Cost(cpu_seconds, 1.5, 300.0, "")], [table])

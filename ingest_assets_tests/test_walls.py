"""Each folder talks to one thing, modules stay short, and importing one does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest_assets

_PACKAGE = Path(ingest_assets.__file__).parent
_MODULES = sorted(
    path.relative_to(_PACKAGE).as_posix()
    for path in _PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)
# A migration is one script, written once and never edited.
_EDITED_MODULES = [module for module in _MODULES if "/migrations/versions/" not in module]
_MAX_LINES = 250
_MAX_FUNCTION_LINES = 49

# Which library only which folders (or files) may name.
_WALLS = {
    "obstore": ("files/",),
    "requests": ("alerts/",),
    "smtplib": ("alerts/",),
    "boto3": ("files/",),
    "botocore": ("files/",),
    "pyiceberg": ("tables/",),
    "duckdb": ("tables/", "quality/", "transforms/", "locked_duckdb.py"),
    "prometheus_client": ("metrics/",),
    "sqlalchemy": ("ledger/",),
    "psycopg2": ("ledger/",),
    "alembic": ("ledger/",),
    "dagster": ("orchestration/", "components/", "defs/", "demo/defs/", "definitions.py"),
    "dagster_postgres": ("orchestration/",),
    "dagster_aws": ("orchestration/",),
    "dagster_pyspark": ("orchestration/",),
    "pyspark": (),
    "dagster_shared": ("orchestration/", "components/"),
}

# Where a wall has a door, and why.
_DOORS = {
    ("demo/object_store.py", "obstore"): "plays the producer, who is outside the product",
    ("alerts/sns.py", "botocore"): "SNS is a channel; its session is made in files/",
    ("silence.py", "psycopg2"): "watches every connection of ours, whoever makes it",
    ("tables/catalog_errors.py", "requests"): "PyIceberg's REST catalog raises its errors",
    ("tables/catalog.py", "sqlalchemy"): "PyIceberg's SQL catalog raises its errors",
    ("tables/catalog_errors.py", "sqlalchemy"): "PyIceberg's SQL catalog raises its errors",
    ("tables/catalog_errors.py", "botocore"): "PyIceberg's Glue catalog raises its errors",
    ("orchestration/event_log_storage.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/bulk_events.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/check_state.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/dynamic_partitions.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/lost_runs.py", "sqlalchemy"): "Dagster's storages raise its errors",
    ("orchestration/instance_storage.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/partition_status.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
    ("orchestration/postgres_pool.py", "sqlalchemy"): "is Dagster's storage, an SQL program",
}


def _tree(module: str) -> ast.Module:
    return ast.parse((_PACKAGE / module).read_text())


def _imports(tree: ast.AST) -> Iterator[str]:
    """The top-level name of every import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("module", _MODULES)
def test_a_module_names_only_the_libraries_of_its_folder(module: str) -> None:
    strangers = {
        library
        for library in _imports(_tree(module))
        if library in _WALLS
        and not module.startswith(_WALLS[library])
        and (module, library) not in _DOORS
    }
    assert not strangers, f"{module} must not import {', '.join(sorted(strangers))}"


def test_every_door_is_in_use() -> None:
    unused = [
        (module, library)
        for module, library in _DOORS
        if module in _MODULES and library not in set(_imports(_tree(module)))
    ]
    assert not unused


@pytest.mark.parametrize("module", _EDITED_MODULES)
def test_a_module_has_at_most_250_lines(module: str) -> None:
    line_count = len((_PACKAGE / module).read_text().splitlines())
    assert line_count <= _MAX_LINES, f"{module} has {line_count} lines"


@pytest.mark.parametrize("module", _EDITED_MODULES)
def test_a_function_has_fewer_than_50_lines(module: str) -> None:
    long = [
        node.name
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > _MAX_FUNCTION_LINES
    ]
    assert not long


_IMPORT_WITHOUT_IO = """
import importlib, os, pathlib, sys

# Heavy libraries read their own files when they are imported; that is not our doing.
for library in {libraries!r}:
    try:
        importlib.import_module(library)
    except ModuleNotFoundError:
        pass

found = []

def watch(event, arguments):
    if event in ("socket.connect", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        found.append((event, str(arguments)[:200]))
    elif event == "open" and isinstance(arguments[0], str):
        writes = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if writes and "__pycache__" not in arguments[0]:
            found.append((event, arguments[0]))

sys.dont_write_bytecode = True
sys.addaudithook(watch)
for module in {modules!r}:
    importlib.import_module(module)
assert not found, found
"""


def test_importing_the_package_connects_starts_and_writes_nothing(tmp_path: Path) -> None:
    """All but the migrations' scripts, which Alembic runs, and the code location, which loads."""
    modules = [
        "ingest_assets." + module.removesuffix(".py").replace("/", ".")
        for module in _MODULES
        if "migrations/" not in module and module != "definitions.py"
    ]
    libraries = ["boto3", "dagster", "dagster_postgres", "duckdb", "obstore", "pyarrow"]
    libraries += ["pyarrow.csv", "pyarrow.json", "pyarrow.parquet", "pyiceberg.catalog.sql"]
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT_WITHOUT_IO.format(libraries=libraries, modules=modules)],
        capture_output=True,
        text=True,
        check=False,
        env={"INGEST_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=_PACKAGE.parent,
    )
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []

"""Any sequence of merged batches gives what a dictionary keyed by the primary key holds."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_assets.deployment import Deployment
from ingest_assets.ingestion import Ingestion
from ingest_assets.settings import Settings
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.sample_orders import json_lines

NAMES = ("a", "b", "sub/c")
DAYS = tuple(date(2026, 1, day).isoformat() for day in (1, 2, 3))
NOW = datetime(2026, 1, 10, tzinfo=UTC)
_numbers = itertools.count(1)
_values = itertools.count(1)


@dataclass(frozen=True)
class Upload:
    """One file with its rows, put there `minute` minutes after the others."""

    name: str
    minute: int
    rows: tuple[dict[str, Any], ...]


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row with a key of two columns, of which a table may use one."""
    return {
        "id": draw(st.integers(1, 4)),
        "day": draw(st.sampled_from(DAYS)),
        "moves": draw(st.sampled_from(DAYS)),
        "version": draw(st.none() | st.integers(1, 3)),
        "op": draw(st.sampled_from([None, "U", "U", "D"])),
    }


UPLOADS = st.builds(
    Upload, st.sampled_from(NAMES), st.integers(0, 3), st.lists(rows(), min_size=1).map(tuple)
)
LIVES = st.lists(st.lists(UPLOADS, min_size=1, max_size=3), min_size=2, max_size=4)
TABLES = st.fixed_dictionaries(
    {
        "primary_key": st.sampled_from([["id"], ["id", "day"]]),
        "order_by": st.sampled_from([None, "version"]),
        "partition_by": st.sampled_from([[], ["day(moves)"], ["bucket(2, id)"]]),
        "delete_when": st.sampled_from([None, {"column": "op", "equals": ["D"]}]),
    }
)


@pytest.fixture
def deployment(tmp_path: Path, fresh_database: str) -> Iterator[Deployment]:
    """One for all examples, each of which has an ingestion of its own."""
    made = Deployment(Settings(tmp_path, tmp_path / "defs", tmp_path / "dagster", fresh_database))
    yield made
    made.ledger.dispose()


@given(life=LIVES, table=TABLES)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_merged_batches_hold_what_a_dictionary_would(
    deployment: Deployment, tmp_path: Path, life: list[list[Upload]], table: dict[str, Any]
) -> None:
    name = f"life_{next(_numbers)}"
    folder = tmp_path / "landing" / name
    ingestion = Ingestion.model_validate(
        {
            "name": name,
            "source": {"uri": f"file://{folder}/"},
            "format": {"type": "json"},
            "schema": {"columns": [{"name": n, "type": t} for n, t in COLUMNS.items()]},
            "table": {"identifier": f"raw.{name}", "write_mode": "merge", **table},
            "batch": {"max_files": 2},
        }
    )
    expected: dict[tuple[Any, ...], tuple[tuple[Any, ...], dict[str, Any] | None]] = {}
    uploads: dict[tuple[str, int], Iterator[int]] = {}
    for batch in life:
        # Of two uploads under one name the later one is the file.
        for upload in {upload.name: upload for upload in batch}.values():
            # A store of files tells contents apart by their moment and size.
            again = uploads.setdefault((upload.name, upload.minute), itertools.count())
            moment = NOW + timedelta(minutes=upload.minute, milliseconds=next(again))
            told = _put(folder, upload, moment)
            _apply(expected, (moment, upload.name), told, table)
        work.engine_pass(deployment, ingestion)
        assert _found(deployment, name, table) == {
            key: row["value"] for key, (_, row) in expected.items() if row is not None
        }


COLUMNS = {
    "id": "long",
    "day": "date",
    "moves": "date",
    "version": "long",
    "op": "string",
    "value": "long",
}


def _put(folder: Path, upload: Upload, moment: datetime) -> list[dict[str, Any]]:
    """The rows as the file has them."""
    told = [{**row, "value": next(_values)} for row in upload.rows]
    told[0] = {**told[0], "version": told[0]["version"] or 1}  # a file has the order's column
    path = folder / upload.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_lines(told))
    os.utime(path, (moment.timestamp(), moment.timestamp()))
    return told


def _apply(
    expected: dict[Any, Any],
    arrival: tuple[datetime, str],
    told: list[dict[str, Any]],
    table: dict[str, Any],
) -> None:
    for number, row in enumerate(told):
        key = tuple(row[column] for column in table["primary_key"])
        version = row["version"] or 0 if table["order_by"] else 0
        order = version, *arrival, number
        if key not in expected or expected[key][0] <= order:
            is_deleted = table["delete_when"] and row["op"] == "D"
            expected[key] = order, None if is_deleted else row


def _found(deployment: Deployment, name: str, table: dict[str, Any]) -> dict[Any, int]:
    rows = deployment.catalog.load_table(f"raw.{name}").scan().to_arrow().to_pylist()
    found = {
        tuple(
            value.isoformat() if isinstance(value := row[column], date) else value
            for column in table["primary_key"]
        ): row["value"]
        for row in rows
    }
    assert len(found) == len(rows), "a key is there twice"
    return found

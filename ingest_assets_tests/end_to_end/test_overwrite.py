"""Files that overwrite the table, or partitions of it, in whole passes."""

import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.ingestion import Ingestion
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.sample_orders import json_lines
from ingest_assets_tests.end_to_end.workshop import Workshop

NOW = datetime(2026, 1, 10, tzinfo=UTC)


class Exports:
    """An ingestion of local files, whose moments a test can say."""

    def __init__(self, workshop: Workshop, folder: Path, **table: Any) -> None:
        self.workshop = workshop
        self.folder = folder / "exports"
        self.table: dict[str, Any] = {"write_mode": "overwrite", **table}

    def ingestion(self, name: str = "exports", batch_files: int = 1000) -> Ingestion:
        """The declaration; several of them read the same files into tables of their own."""
        return self.workshop.ingestion(
            name=name,
            source={"uri": f"file://{self.folder}/"},
            table={"identifier": f"raw.{name}", **self.table},
            batch={"max_files": batch_files},
        )

    def put(self, name: str, minute: int, *rows: str) -> None:
        """The file has these rows, `1a` for the word `a` of the first day."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        told = [{"day": f"2026-01-0{row[0]}", "word": row[1:]} for row in rows]
        path.write_bytes(json_lines(told))
        moment = (NOW + timedelta(minutes=minute)).timestamp()
        os.utime(path, (moment, moment))

    def ingest(self, **how: Any) -> None:
        """One pass."""
        work.engine_pass(self.workshop.deployment, self.ingestion(**how))

    def found(self, name: str = "exports") -> list[str]:
        """The table's rows, as `put` takes them."""
        return sorted(f"{row['day'].day}{row['word']}" for row in self.workshop.rows(f"raw.{name}"))


def test_the_newest_file_is_the_table_however_its_files_were_batched(
    workshop: Workshop, tmp_path: Path
) -> None:
    exports = Exports(workshop, tmp_path)
    exports.put("b", 1, "1old", "1older")
    exports.put("a", 2, "1new")
    exports.put("empty", 3)
    for batch_files in (1, 2, 3):
        name = f"by_{batch_files}"
        exports.ingest(name=name, batch_files=batch_files)
        assert exports.found(name) == ["1new"], "a file without rows overwrites nothing"
        assert set(workshop.statuses(name).values()) == {"SUCCESS"}


def test_a_file_that_is_older_than_the_table_is_refused_and_can_be_made_the_newest(
    workshop: Workshop, tmp_path: Path
) -> None:
    exports = Exports(workshop, tmp_path)
    exports.put("new", 5, "1new")
    exports.ingest()
    exports.put("late", 3, "1late")
    exports.ingest()
    late = workshop.files("exports")["late"]
    assert (late.status, late.error_type) == ("DEAD_LETTER", "OvertakenError")
    assert "is of 2026-01-10 00:03:00 UTC; raw.exports was overwritten with" in (late.error or "")
    assert "Nothing of this file was written. To have it in the table" in (late.error or "")
    assert exports.found() == ["1new"]
    exports.put("late", 6, "1late")
    exports.ingest()
    assert exports.found() == ["1late"]
    assert workshop.statuses("exports") == {"new": "SUCCESS", "late": "SUCCESS"}


@pytest.mark.parametrize("order", list(itertools.permutations(("x", "y", "z")))[::2])
def test_each_partition_has_the_rows_of_the_newest_file_that_has_some_for_it(
    workshop: Workshop, tmp_path: Path, order: Sequence[str]
) -> None:
    exports = Exports(workshop, tmp_path, overwrite_scope="partitions", partition_by=["day(day)"])
    files = {"x": (1, "1x", "2x", "3x"), "y": (2, "2y", "2yy"), "z": (3, "3z")}
    for name in order:
        exports.put(name, *files[name])
        exports.ingest()
    assert exports.found() == ["1x", "2y", "2yy", "3z"]
    exports.put("x", 4, "2again")
    exports.ingest()
    assert exports.found() == ["1x", "2again", "3z"]
    assert set(workshop.statuses("exports").values()) == {"SUCCESS"}


@pytest.mark.parametrize("scope", ["table", "partitions"])
def test_the_files_of_the_last_folder_are_the_table_together(
    workshop: Workshop, tmp_path: Path, scope: str
) -> None:
    exports = Exports(
        workshop,
        tmp_path,
        overwrite_by="folder",
        overwrite_scope=scope,
        partition_by=["day(day)"],
    )
    exports.put("2026-01-01/1", 1, "1a")
    exports.put("2026-01-01/2", 2, "1b")
    exports.ingest(batch_files=1)
    assert exports.found() == ["1a", "1b"]
    exports.put("2026-01-02/1", 3, "1c", "2c")
    exports.ingest()
    exports.put("2026-01-02/2", 4, "2d")
    exports.put("2026-01-02/1", 5, "1e", "2e")
    exports.put("2026-01-01/3", 9, "1late")
    exports.ingest()
    assert exports.found() == ["1e", "2d", "2e"]
    refused = {k for k, s in workshop.statuses("exports").items() if s == "DEAD_LETTER"}
    assert refused == ({"2026-01-01/3"} if scope == "table" else set())
    for key in refused:
        error = workshop.files("exports")[key].error or ""
        assert "was overwritten with the folder of " in error
        assert "2026-01-02/1 already and holds that" in error

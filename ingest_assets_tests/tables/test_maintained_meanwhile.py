"""Maintenance while others commit: by seeds, no row is lost or doubled, whatever comes when.

Each seed is one history: batches that add and replace files, position deletes of another engine,
and maintenance that is interrupted by any of these at any of its steps, or killed there.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from ingest_assets.errors import CommitConflictError
from ingest_assets.tables import compaction, racing, sorted_runs
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.compaction import compact
from ingest_assets.tables.compaction_plan import FileSizes
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.expiry import expire
from ingest_assets.tables.expiry_plan import Retention
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.manifests import rewrite_manifests
from ingest_assets.tables.orphans import delete_orphans, find_orphans
from ingest_assets_tests.tables.lake import IDENTIFIER, NOW, OWNER, Lake, columns, layout
from ingest_assets_tests.tables.position_deletes import delete_positions

SEEDS = range(50)
LAYOUTS = (
    layout(),
    layout("region"),
    layout("region", sort_by=["id desc"]),
    layout(sort_by=["id"]),
)
REGIONS = ("north", "south", None)
SHAPE = columns(id=pa.int64(), region=pa.string())
Row = tuple[int, int]


class Killed(BaseException):
    """The process of the maintenance is gone."""


@dataclass
class History:
    """A table, what it has to hold, and what comes next."""

    lake: Lake
    folder: Path
    seed: int
    rows: dict[int, list[Row]] = field(default_factory=dict)
    deleted: set[Row] = field(default_factory=set)
    is_busy: bool = False
    contents: int = 0
    happened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.layout = LAYOUTS[self.seed % len(LAYOUTS)]

    def batch(self) -> None:
        """A batch of one to three files, some of them known already."""
        target = self.lake.open(self.layout)
        target.evolve(SHAPE)
        batch_id = f"b{self.contents}"
        writer = DataFileWriter(target, batch_id)
        files = self.random.sample(range(1, 12), self.random.randint(1, 3))
        for file_id in files:
            self.contents += 1
            count = self.random.randint(1, 6)
            writer.write(self._file(file_id, self.contents, count))
            self.deleted -= set(self.rows.get(file_id, []))
            self.rows[file_id] = [(self.contents, number) for number in range(count)]
        commit(Prepared(batch_id, target, writer.finish(), "_file_id", files), lambda: True)

    def _file(self, file_id: int, content: int, count: int) -> pa.Table:
        ids = [self.random.randint(0, 99) for _ in range(count)]
        rows = pa.table(
            {
                "id": pa.array(ids, pa.int64()),
                "region": pa.array(self.random.choices(REGIONS, k=count), pa.string()),
                "_source_row": pa.array(range(count), pa.int64()),
                "_rescued_data": pa.nulls(count, pa.string()),
            }
        )
        return with_lineage(rows, [Origin(f"s3://b/{file_id}", file_id, content, count)], NOW)

    def delete_a_row(self) -> None:
        """Another engine deletes a row by its position; in a table without partitions only."""
        tasks = list(self.lake.table.scan().plan_files()) if self.contents else []
        if self.layout.partition_by or not tasks:
            return
        task = self.random.choice(tasks)
        with self.lake.table.io.new_input(task.file.file_path).open() as source:
            held = pq.read_table(source, columns=["_content_id", "_source_row"]).to_pylist()
        position = self.random.randrange(len(held))
        delete_positions(self.lake.table, task.file.file_path, [position], self.folder)
        self.deleted.add((held[position]["_content_id"], held[position]["_source_row"]))

    def meanwhile(self, step: str) -> None:
        """At each step of the maintenance: nothing, a batch, a delete, or its end."""
        self.happened.append(step)
        if self.is_busy:
            return
        self.is_busy = True
        try:
            what = self.random.random()
            if what < 0.15:
                self.happened.append("batch")
                self.batch()
            elif what < 0.2:
                self.happened.append("delete")
                self.delete_a_row()
            elif what < 0.24:
                self.happened.append("other maintenance")
                self.chore()
            elif what < 0.34:
                self.happened.append("killed")
                raise Killed
        finally:
            self.is_busy = False

    def chore(self) -> None:
        """One chore, interrupted as it comes."""
        catalog = self.lake.catalog
        with suppress(Killed, CommitConflictError):
            match self.random.randrange(4):
                case 0 | 1:
                    sizes = FileSizes(self.random.choice([5_000, 20_000, 10**7]), 2)
                    spool = self.folder / "spool"
                    compact(catalog, IDENTIFIER, OWNER, sizes, spool, self.meanwhile)
                case 2:
                    self.expire()
                case 3:
                    rewrite_manifests(catalog, IDENTIFIER, OWNER)

    def expire(self) -> None:
        """Most of the history goes."""
        retention = Retention(self.random.randint(1, 3), timedelta(0))
        expire(
            self.lake.catalog,
            IDENTIFIER,
            OWNER,
            retention,
            datetime.now(UTC) + timedelta(hours=1),
            lambda in_main, abandoned: frozenset(),
            lambda uuid, positions: None,
            self.meanwhile,
        )

    def expected(self) -> Counter[Row]:
        """Every row of the newest contents, but those that were deleted."""
        all_rows = (row for rows in self.rows.values() for row in rows)
        return Counter(row for row in all_rows if row not in self.deleted)

    def found(self) -> Counter[Row]:
        """How often each row is in the table."""
        rows = self.lake.table.scan(selected_fields=("_content_id", "_source_row")).to_arrow()
        return Counter((row["_content_id"], row["_source_row"]) for row in rows.to_pylist())


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], History]]:
    monkeypatch.setattr(racing, "WAIT_SECONDS", (0.0, 0.001))
    monkeypatch.setattr(compaction, "COMMIT_GROUPS", 2)
    monkeypatch.setattr(sorted_runs, "RUN_BYTES", 500)
    monkeypatch.setattr(sorted_runs, "BLOCK_ROWS", 7)
    made: list[SqlCatalog] = []

    def make(seed: int) -> History:
        folder = tmp_path / str(seed)
        folder.mkdir()
        warehouse = f"file://{folder}/warehouse"
        made.append(SqlCatalog("lake", uri=f"sqlite:///{folder}/c.db", warehouse=warehouse))
        return History(Lake(made[-1]), folder, seed)

    yield make
    for catalog in made:
        catalog.close()


def _open_batches() -> Collection[str]:
    return ()


def test_no_row_is_lost_or_doubled_whatever_comes_when(
    history: Callable[[int], History],
) -> None:
    seen = Counter[str]()
    for seed in SEEDS:
        one = history(seed)
        for _ in range(3):
            one.batch()
        for _ in range(5):
            one.random.choice([one.chore, one.chore, one.batch, one.delete_a_row])()
            found, expected = one.found(), one.expected()
            assert found == expected, (
                f"seed {seed}: too many {found - expected}, too few {expected - found}; "
                f"{one.happened}"
            )
        seen.update(one.happened)
        if seed % 5 == 0:
            _assert_nothing_is_left_over(one)
    steps = {"group written", "compaction staged", "compaction committed", "expiry noted"}
    steps |= {"expiry committed", "file deleted", "batch", "delete", "killed"}
    assert steps <= set(seen)


def _assert_nothing_is_left_over(one: History) -> None:
    """What killed chores left is found as orphans, and nothing else: each snapshot is readable."""
    later = datetime.now(UTC) + timedelta(days=9)
    catalog = one.lake.catalog
    age = timedelta(days=1)
    orphans = find_orphans(catalog, IDENTIFIER, OWNER, age, later, _open_batches)
    delete_orphans(catalog, IDENTIFIER, OWNER, orphans, lambda _: None)
    again = find_orphans(catalog, IDENTIFIER, OWNER, age, later, _open_batches)
    assert again.files == ()
    for snapshot in one.lake.table.snapshots():
        one.lake.table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
    assert one.found() == one.expected()

"""A world whose files have two shapes, each with a table of its own, and schedules of it."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest_assets_tests.chaos import work
from ingest_assets_tests.chaos.deciding import decision
from ingest_assets_tests.chaos.schedule import KEYS, Act, Schedule
from ingest_assets_tests.chaos.world import Rows, World

OTHER = "_v2"


@dataclass
class TwoTables(World):
    """`shapes` is what was put under each key at last: "" for the declared table's, or `OTHER`."""

    suffixes: Sequence[str] = ("", OTHER)
    shapes: dict[str, str] = field(default_factory=dict)

    def put_shaped(self, key: str, shape: str, *, rows: int = 3, rejected: int = 0) -> None:
        """As `put`, of this shape."""
        self.shapes[key] = shape
        self.put(key, rows=rows, rejected=rejected)

    def _put(self, key: str, records: list[dict[str, Any]], rejected: int) -> None:
        if self.shapes.get(key):
            records = [{**record, "word": {"text": record["word"]}} for record in records]
        super()._put(key, records, rejected)

    def part(self) -> None:
        """One file is in the declared table, and one in the other one."""
        self.put_shaped("a.json", "")
        self.put_shaped("b.json", OTHER)
        work.engine_pass(self.deployment, self.ingestion)
        decision("new_table")(self.deployment, self.ingestion)
        work.engine_pass(self.deployment, self.ingestion)
        self.assert_in_their_tables()

    def rows_in(self, suffix: str) -> Rows:
        """The rows of one of the tables."""
        return Counter((row["_source_file"], row["id"]) for row in self._scan(suffix, "id"))

    def assert_in_their_tables(self) -> None:
        """As `assert_exactly_once`, and the rows of each file are in the table of its shape."""
        self.assert_exactly_once()
        for suffix in self.suffixes:
            of_shape = [u for k, u in self.uploads.items() if self.shapes[k] == suffix]
            assert sum(self.rows_in(suffix).values()) == sum(len(u.numbers) for u in of_shape)
        assert not self.query(
            "SELECT key FROM ingest.files WHERE ingestion = :ingestion AND also_in <> '{}'"
        )


@dataclass
class ShapedSchedule(Schedule):
    """A random schedule in which files change their shape, and so their table."""

    world: TwoTables

    def begin(self, rng: random.Random) -> None:
        """The shapes are parted."""
        self.world.part()

    def acts(self) -> dict[Act, int]:
        """Above all, files move and tables are rolled back."""
        return {
            self.move: 4,
            self.move_and_roll_back: 4,
            self.work: 1,
            self.overtake: 3,
            self.wake_up: 2,
            self.roll_back: 1,
            self.ask_again: 1,
        }

    def move(self, rng: random.Random) -> None:
        """Files have new content, and somebody works on them."""
        self.produce(rng)
        self.work(rng)

    def move_and_roll_back(self, rng: random.Random) -> None:
        """Files have moved when somebody takes one of the tables back."""
        self.produce(rng)
        work.engine_pass(self.world.deployment, self.world.ingestion)
        self.roll_back(rng)

    def produce(self, rng: random.Random) -> None:
        """One to three keys have new content, most of the other shape than before."""
        for key in rng.sample(KEYS[:3], rng.randint(1, 3)):
            rows, rejected = rng.choice([1, 3]), rng.choice([0, 0, 1])
            others = {"": OTHER, OTHER: ""}
            shape = self.world.shapes.get(key, "")
            shape = others[shape] if rng.random() < 0.7 else shape
            self.world.put_shaped(key, shape, rows=rows, rejected=rejected)
            self.log.append(f"put {key} {shape}: {self.world.uploads[key]}")

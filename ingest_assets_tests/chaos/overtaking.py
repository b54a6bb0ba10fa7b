"""Worlds in whose tables rows of one file overtake those of another, and what they come to."""

import random
from dataclasses import dataclass, field
from typing import Any

from ingest_assets_tests.chaos.world import World


@dataclass
class Merging(World):
    """A feed of changes; `expected` is the newest version of each key that is not deleted."""

    expected: dict[int, int] = field(default_factory=dict)
    _version: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        """The declaration."""
        declared = super().attributes
        table = {
            **declared["table"],
            "write_mode": "merge",
            "primary_key": ["id"],
            "order_by": "version",
            "delete_when": {"column": "op", "equals": ["D"]},
            "partition_by": ["bucket(2, id)"],
        }
        return {**declared, "table": table}

    def change(self, key: str, rng: random.Random) -> None:
        """The key has new content: changes of several of ten ids, newer and older ones mixed."""
        records = []
        for id_ in [*rng.sample(range(10), 4), *rng.sample(range(10), 2)]:
            self._version += 1
            op = rng.choice("UUD")
            records.append({"id": id_, "version": self._version, "op": op})
            self.expected.pop(id_, None)
            if op == "U":
                self.expected[id_] = self._version
        rng.shuffle(records)
        self._put(key, records, 0)

    def found(self) -> dict[int, int]:
        """The table, of which no key may be there twice."""
        rows = self._scan("", "id", "version")
        found = {row["id"]: row["version"] for row in rows}
        assert len(found) == len(rows)
        return found

    def assert_merged(self) -> None:
        """The table is as expected, and nothing waits."""
        assert self.is_settled()
        assert self.found() == self.expected


@dataclass
class Overwriting(World):
    """Whole pictures, of which the newest is the table."""

    _pictures: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        """The declaration."""
        declared = super().attributes
        return {**declared, "table": {**declared["table"], "write_mode": "overwrite"}}

    def change(self, _key: str, _rng: random.Random) -> None:
        """There are two more pictures; the later one has the later key."""
        for _ in range(2):
            self._pictures += 1
            self.put(f"{self._pictures:03}.json")

    def assert_merged(self) -> None:
        """The table is the last picture, and nothing waits."""
        assert self.is_settled()
        last = f"{self._pictures:03}.json"
        assert {file.status for file in self.files()} == {"SUCCESS"}
        expected = {(self.uri(last), number): 1 for number in self.uploads[last].numbers}
        assert self.rows() == expected

"""A world whose files change under a mode, back to earlier contents too, and schedules of it."""

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from ingest_assets.ingestion import Ingestion
from ingest_assets_tests.chaos.schedule import KEYS, Act, Schedule
from ingest_assets_tests.chaos.world import Rows, Upload, World


@dataclass
class Changing(World):
    """`contents` are all that were ever put under each key, by their etags."""

    mode: str = "append"
    contents: dict[str, dict[str, tuple[Upload, bytes]]] = field(default_factory=dict)
    _body: bytes = b""

    @property
    def attributes(self) -> dict[str, Any]:
        """The declaration, with the mode."""
        declared = super().attributes
        return {**declared, "source": {**declared["source"], "on_changed_file": self.mode}}

    def under(self, mode: str) -> Self:
        """This world, declared with the mode."""
        self.mode = mode
        self.ingestion = Ingestion.model_validate(self.attributes)
        return self

    def put_bytes(self, key: str, data: bytes) -> None:
        """As of any world; the bytes are kept."""
        self._body = data
        super().put_bytes(key, data)

    def put(self, key: str, **content: Any) -> None:
        """As of any world; the content is kept."""
        super().put(key, **content)
        etag = hashlib.md5(self._body).hexdigest()
        self.contents.setdefault(key, {})[etag] = (self.uploads[key], self._body)

    def put_back(self, key: str, rng: random.Random) -> None:
        """One of the earlier contents is under the key again."""
        self.uploads[key], body = rng.choice(list(self.contents[key].values()))
        super().put_bytes(key, body)

    def committed(self) -> set[tuple[str, str]]:
        """Key and etag of every content whose rows are in the table, by the ledger's word."""
        if self.mode != "append":
            return {(f.key, f.committed_etag) for f in self.files() if f.committed_etag}
        found = self.query(
            "SELECT f.key, c.etag FROM ingest.contents c JOIN ingest.files f USING (file_id) "
            "WHERE f.ingestion = :ingestion AND c.committed_batch_id IS NOT NULL"
        )
        return {(row.key, row.etag) for row in found}

    def rows_of(self, contents: set[tuple[str, str]]) -> Rows:
        """Every row of these contents, once."""
        return Counter(
            (self.uri(key), number)
            for key, etag in contents
            for number in self.contents[key][etag][0].numbers
        )

    def assert_as_the_mode_says(self) -> None:
        """Table and rejected rows are those of the committed contents, each once."""
        committed, rows = self.committed(), self.rows()
        expected = self.rows_of(committed)
        assert rows == expected, f"too many {rows - expected}, too few {expected - rows}"
        rejected = Counter[str]()
        for key, etag in committed:
            rejected[self.uri(key)] += self.contents[key][etag][0].rejected
        found = self.rejected_rows()
        assert found == +rejected, f"too many {found - rejected}, too few {rejected - found}"
        for file in self.files():
            is_newest = (file.key, file.etag) in committed
            match self.mode:
                case "ignore":
                    assert file.status == "SUCCESS"
                case "fail":
                    assert file.status == ("SUCCESS" if is_newest else "DEAD_LETTER")
                case _:
                    assert (file.status, is_newest) == ("SUCCESS", True)
        assert self.is_settled()


@dataclass
class ChangingSchedule(Schedule):
    """A random schedule in which contents come and come back.

    Without rollbacks, no content that was once in the table under `append` ever leaves it.
    """

    world: Changing
    has_rollbacks: bool = True
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def acts(self) -> dict[Act, int]:
        """As of any schedule."""
        return {
            act: weight
            for act, weight in super().acts().items()
            if self.has_rollbacks or act != self.roll_back
        }

    def produce(self, rng: random.Random) -> None:
        """As of any schedule; or some keys have an earlier content again."""
        known = [key for key in KEYS if key in self.world.contents]
        if not known or rng.random() < 0.5:
            super().produce(rng)
            return
        for key in rng.sample(known, min(2, len(known))):
            self.world.put_back(key, rng)
            self.log.append(f"put back {key}: {self.world.uploads[key]}")

    def work(self, rng: random.Random) -> None:
        """As of any schedule; what is in the table then is remembered."""
        super().work(rng)
        self._seen |= self.world.committed()

    def settle(self, rng: random.Random) -> None:
        """As of any schedule; and nothing is missing that was there before."""
        super().settle(rng)
        if self.world.mode == "append" and not self.has_rollbacks:
            assert self._seen <= self.world.committed()

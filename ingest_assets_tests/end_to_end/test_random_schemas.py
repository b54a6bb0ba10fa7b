"""Random sequences of schemas and decisions: nothing that was ever sent is lost or changed.

A failure names its seed and what happened. `SCHEMA_SEED=17` runs that one alone; `SCHEMA_SEQUENCES`
and `SCHEMA_FIRST_SEED` say how many there are and where they begin.
"""

import datetime
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest_assets.decision_errors import DecisionRefusedError, ReshapeRefusedError
from ingest_assets.engine.decision_plan import plan_resolution
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.ledger import registry
from ingest_assets.schema.resolution import Resolution
from ingest_assets.tables.operations import Constant
from ingest_assets_tests.chaos import work
from ingest_assets_tests.end_to_end.deciding import PERSON, versions
from ingest_assets_tests.end_to_end.sample_orders import json_lines, parquet_file
from ingest_assets_tests.end_to_end.workshop import Workshop

Value = Any
Maker = Callable[[random.Random], Value]


def _moment(rng: random.Random) -> str:
    return f"2026-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T08:00:00Z"


def _struct(rng: random.Random) -> Value:
    return {"a": rng.randint(0, 9), "b": rng.choice(["x", "y"])}


MAKERS: dict[str, Maker] = {
    "long": lambda rng: rng.randint(-(2**40), 2**40),
    "double": lambda rng: rng.randint(0, 99) + 0.5,
    "string": lambda rng: rng.choice(["é one", 'tw"o', "3", ""]),
    "boolean": lambda rng: rng.random() < 0.5,
    "timestamp": _moment,
    "struct": _struct,
    "struct of other fields": lambda rng: {"b": rng.randint(0, 9), "c": [rng.randint(0, 9)]},
    "list": lambda rng: [rng.randint(0, 9) for _ in range(rng.randint(1, 3))],
    "list of strings": lambda rng: [rng.choice(["x", "7"])],
    "list of structs": lambda rng: [_struct(rng)],
    "list of one field": lambda rng: [{"a": rng.choice(["x", "y"])}],
}
NAMES = ("p", "q", "r", "s")
RESOLUTIONS = ("accept", "merge", "merge", "ignore", "backfill", "reject", "new_table")


@dataclass
class Life:
    """One seeded life of an ingestion. `sent` has each row by its id, and its file.

    `contents` has the ids of each content that a key ever had, the newest last.
    """

    workshop: Workshop
    seed: int
    format_: str
    log: list[str] = field(default_factory=list)
    sent: dict[int, tuple[str, dict[str, Value]]] = field(default_factory=dict)
    contents: dict[str, list[set[int]]] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    shape: dict[str, str] = field(default_factory=dict)

    def live(self) -> None:
        rng = random.Random(self.seed)
        self.shape = {name: rng.choice(list(MAKERS)) for name in NAMES[:2]}
        self.send(rng)
        earlier = [dict(self.shape)]
        for _ in range(rng.randint(4, 6)):
            for _ in range(rng.randint(1, 2)):
                if rng.random() < 0.3:
                    self.shape = dict(rng.choice(earlier))
                else:
                    self.drift(rng)
                earlier.append(dict(self.shape))
                self.send(rng)
            self.ingest()
            if rng.random() < 0.8:
                self.decide(rng)
                self.check()
        self.ingest()
        self.check()

    def drift(self, rng: random.Random) -> None:
        """A column comes, goes, or has another type."""
        name = rng.choice(NAMES)
        if name in self.shape and rng.random() < 0.4 and len(self.shape) > 1:
            del self.shape[name]
        else:
            self.shape[name] = rng.choice(list(MAKERS))

    def send(self, rng: random.Random) -> None:
        """A file of the shape as it is now, often under a key that was there before."""
        key = f"{len(self.contents):03d}"
        if self.contents and rng.random() < 0.3:
            key = rng.choice(sorted(self.contents))
        first = len(self.sent)
        rows = [
            {"id": first + n, **{name: MAKERS[kind](rng) for name, kind in self.shape.items()}}
            for n in range(rng.randint(1, 3))
        ]
        self.sent |= {row["id"]: (key, row) for row in rows}
        self.contents.setdefault(key, []).append({row["id"] for row in rows})
        encoded = json_lines(rows) if self.format_ == "json" else parquet_file(rows)
        self.workshop.put(key, encoded)
        self.log.append(f"put {key}: {rows}")

    @property
    def ingestion(self) -> Any:
        return self.workshop.ingestion(format={"type": self.format_})

    def ingest(self) -> None:
        work.engine_pass(self.workshop.deployment, self.ingestion)
        self.log.append(f"ingested: {self.workshop.statuses()}")

    def decide(self, rng: random.Random) -> None:
        """A person decides about one of the versions that wait; may be refused."""
        waiting = [row for row in versions(self.workshop).values() if row.status == "PENDING"]
        if not waiting:
            return
        pending = rng.choice(waiting)
        resolution = Resolution(rng.choice(RESOLUTIONS))
        deployment = self.workshop.deployment
        fills = {}
        if resolution is Resolution.BACKFILL:
            scalars = {f["name"] for f in pending.fields if f["type"] in ("long", "double")}
            fills = {name: Constant(0) for name in scalars & set(NAMES)}
            found = pending.difference
            added = {c.path for c in found.changes if c.kind == "added"} if found else set()
            fills = {name: value for name, value in fills.items() if name in added}
        said = f"{resolution} of {pending.version}"
        try:
            plan = plan_resolution(deployment, self.ingestion, pending.version, resolution, fills)
            carry_out(deployment, plan, PERSON, "")
        except (ReshapeRefusedError, DecisionRefusedError) as error:
            self.log.append(f"{said} was refused: {error}")
            assert versions(self.workshop)[pending.version].status == "PENDING"
            return
        self.filled |= set(fills)
        self.log.append(f"{said}: {plan.operations}")
        self.ingest()
        left = versions(self.workshop)[pending.version]
        assert (left.status, left.parked_files) != ("PENDING", 0)
        files = [self.workshop.files()[key] for key in pending.files]
        if resolution in (Resolution.ACCEPT, Resolution.MERGE, Resolution.IGNORE):
            # The others of its files fit too, unless another decision was made since it came.
            parked = [file.key for file in files if file.status == "PARKED"]
            assert not (len(waiting) == 1 and parked), parked

    def check(self) -> None:
        """Every row is in one table once with its values, or in a file that is not.

        The rows of a file's earlier content are there only while the new one waits.
        """
        statuses = self.workshop.statuses()
        assert set(statuses.values()) <= {"SUCCESS", "PARKED", "REJECTED"}, statuses
        rows = [row for table in self.tables() for row in self.workshop.rows(table)]
        ids = [row["id"] for row in rows]
        assert len(ids) == len(set(ids)), sorted(ids)
        for key, status in statuses.items():
            found = {i for i in ids if self.sent[i][0] == key}
            assert (
                found == self.contents[key][-1] if status == "SUCCESS" else self.is_old(key, found)
            )
        for row in rows:
            self.check_row(row, self.sent[row["id"]][1])
        for version in versions(self.workshop).values():
            assert version.status == "PENDING" or version.parked_files == 0

    def tables(self) -> list[str]:
        """The tables of the ingestion."""
        with self.workshop.deployment.ledger.transaction() as connection:
            routes = registry.routes(connection, "orders")
        return [route or "raw.orders" for route in routes]

    def is_old(self, key: str, found: set[int]) -> bool:
        """These are all rows of one earlier content of the key, or none."""
        return not found or found in self.contents[key][:-1]

    def check_row(self, row: dict[str, Value], sent: dict[str, Value]) -> None:
        rescued = json.loads(row["_rescued_data"] or "{}")
        for name, value in sent.items():
            found = row.get(name)
            whole = found if name not in rescued else _with(found, rescued[name])
            assert _is_same(whole, value), f"{row['id']}.{name}: sent {value!r}, found {whole!r}"
        for name in NAMES:
            if name not in sent and name not in self.filled:
                # PyIceberg 0.12.0 reads a null list of structs as an empty one.
                assert not row.get(name), f"{row['id']}.{name} was never sent: {row[name]!r}"


def _with(found: Value, left: Value) -> Value:
    """What the column holds and what is left over of it, together.

    The column may have become text since.
    """
    if isinstance(found, str) and isinstance(left, dict | list):
        found = json.loads(found)
    if isinstance(found, dict) and isinstance(left, dict):
        both = {name: _with(found.get(name), value) for name, value in left.items()}
        return {**found, **both}
    if isinstance(found, list) and isinstance(left, list) and len(found) == len(left):
        return [f if x is None else _with(f, x) for f, x in zip(found, left, strict=True)]
    assert found is None or isinstance(found, dict | list), (found, left)
    return left


def _is_same(found: Value, sent: Value) -> bool:
    """Equal values, or the text of the value, as a column of text of any value has it.

    Objects may have null fields more, and a timestamp is one moment however it is written.
    """
    if isinstance(sent, dict) and isinstance(found, dict):
        names = {name for name, value in found.items() if value is not None} | set(sent)
        return all(name in sent and _is_same(found.get(name), sent[name]) for name in names)
    if isinstance(sent, list) and isinstance(found, list):
        pairs = zip(found, sent, strict=False)
        return len(found) == len(sent) and all(_is_same(f, s) for f, s in pairs)
    if isinstance(found, datetime.datetime):
        return isinstance(sent, str) and found == datetime.datetime.fromisoformat(sent)
    if isinstance(found, str) and not isinstance(sent, str):
        return _is_same(json.loads(found), sent)
    if isinstance(found, str) and found != sent and sent.endswith("Z"):
        return datetime.datetime.fromisoformat(found) == datetime.datetime.fromisoformat(sent)
    if isinstance(sent, str) and isinstance(found, int | float):
        return found == json.loads(sent)  # an accepted type, to which the texts were converted
    return bool(found == sent) and isinstance(found, bool) == isinstance(sent, bool)


def _seeds() -> list[int]:
    if "SCHEMA_SEED" in os.environ:
        return [int(os.environ["SCHEMA_SEED"])]
    first = int(os.environ.get("SCHEMA_FIRST_SEED", "0"))
    return list(range(first, first + int(os.environ.get("SCHEMA_SEQUENCES", "12"))))


@pytest.mark.slow
@pytest.mark.parametrize("seed", _seeds(), ids=lambda seed: f"seed {seed}")
def test_whatever_schemas_come_and_whatever_is_decided_no_row_is_lost_or_changed(
    workshop: Workshop, seed: int
) -> None:
    life = Life(workshop, seed, ("json", "parquet")[seed % 2])
    try:
        life.live()
    except BaseException as error:
        error.add_note(f"SCHEMA_SEED={seed}\n" + "\n".join(life.log))
        raise

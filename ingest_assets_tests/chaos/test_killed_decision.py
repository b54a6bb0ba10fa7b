"""A decision about a schema, killed or asleep at any step: it is wholly true, or not at all."""

import json
from collections.abc import Sequence
from signal import Signals
from typing import Any

import pytest

from ingest_assets.decision_errors import DecisionOutdatedError
from ingest_assets.engine.column_changes import plan_drop_column
from ingest_assets.engine.steps import Step
from ingest_assets.ledger import registry
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.tables.operations import Constant, Expression
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.deciding import change, decision
from ingest_assets_tests.chaos.worker import Fault
from ingest_assets_tests.chaos.world import World

pytestmark = pytest.mark.slow

STEPS = [Step.CLAIMED, Step.TABLE_LOADED, Step.LEASE_CHECKED, Step.COMMITTED]
Row = dict[str, Any]

OLD = {"v": 1, "w": "old"}
OTHER_TYPE = {"v": "one", "w": "new"}
RENAMED = {"v": 1, "word": "new"}
WITHOUT = {"v": 1}


def put(world: World, key: str, first_id: int, row: Row) -> None:
    """Three rows of this shape, numbered from `first_id`."""
    lines = [json.dumps({"id": first_id + n, **row}) for n in range(3)]
    world.put_bytes(key, "\n".join(lines).encode())


def ingest(world: World) -> None:
    work.engine_pass(world.deployment, world.ingestion)


def park(world: World, new: Row) -> None:
    """Ids 1 to 3 are in the table, 11 to 13 wait for a decision."""
    put(world, "a", 1, OLD)
    ingest(world)
    put(world, "b", 11, new)
    ingest(world)
    assert statuses(world) == {"a": "SUCCESS", "b": "PARKED"}


def statuses(world: World) -> dict[str, str]:
    return {file.key: file.status for file in world.files()}


def versions(world: World) -> list[VersionRow]:
    with world.deployment.ledger.transaction() as connection:
        return registry.versions(connection, world.name)


def active(world: World) -> VersionRow:
    (found,) = [row for row in versions(world) if row.status == "ACTIVE"]
    return found


def rows(world: World) -> list[Row]:
    """By id, what files sent, without null ones."""
    table = world.table()
    assert table is not None
    found = [
        {n: v for n, v in row.items() if v is not None and not n.startswith("_")}
        for row in table.scan().to_arrow().to_pylist()
    ]
    return sorted(found, key=lambda row: row["id"])


def three(first_id: int, row: Row) -> list[Row]:
    return [{"id": first_id + n, **row} for n in range(3)]


def decisions(world: World) -> Sequence[Any]:
    return world.query(
        "SELECT action, actor FROM ingest.audit "
        "WHERE ingestion = :ingestion AND action LIKE 'schema.%' ORDER BY audit_id"
    )


def assert_settled(world: World) -> None:
    """No file waits for what is decided, no batch is open, and no file failed on the way."""
    assert not world.query(
        "SELECT f.key FROM ingest.files f JOIN ingest.schema_versions v "
        "ON v.ingestion = f.ingestion AND v.version = f.schema_version "
        "WHERE f.ingestion = :ingestion AND f.status = 'PARKED' AND v.status <> 'PENDING'"
    )
    assert not world.query(
        "SELECT batch_id FROM ingest.batches "
        "WHERE ingestion = :ingestion AND status IN ('PLANNED', 'PREPARED')"
    )
    pending = [row.version for row in versions(world) if row.status == "PENDING"]
    assert pending == [], [row for row in versions(world) if row.status == "PENDING"]
    assert set(statuses(world).values()) == {"SUCCESS"}


CASES: dict[str, tuple[str, Row, dict[str, Any] | None, Row, Row]] = {
    "merge": ("merge", OTHER_TYPE, None, {"v": "1", "w": "old"}, OTHER_TYPE),
    "added": ("merge", RENAMED, None, OLD, RENAMED),
    "backfill": (
        "backfill",
        RENAMED,
        {"word": Expression("upper(w)")},
        {**OLD, "word": "OLD"},
        RENAMED,
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("case", CASES)
def test_a_killed_decision_is_wholly_true_or_can_be_made_again(
    world: World, case: str, step: Step
) -> None:
    resolution, new, fills, old_row, new_row = CASES[case]
    park(world, new)
    before = world.table()
    assert before is not None
    decided = decision(resolution, fills)

    assert worker.run(world, decided, Fault(step)) == -Signals.SIGKILL
    for other in (decision("ignore", actor="bob"), decision("reject", actor="bob")):
        with pytest.raises(DecisionOutdatedError, match="is being carried out"):
            other(world.deployment, world.ingestion)
    ingest(world)

    after = world.table()
    assert after is not None
    if step is not Step.COMMITTED:
        assert after.schema() == before.schema()
        assert rows(world) == three(1, OLD)
        assert statuses(world) == {"a": "SUCCESS", "b": "PARKED"}
        assert [row.status for row in versions(world)] == ["ACTIVE", "PENDING"]
        assert decisions(world) == []
        assert worker.run(world, decided) == 0
        ingest(world)

    assert rows(world) == [*three(1, old_row), *three(11, new_row)]
    assert decisions(world) == [(f"schema.{resolution}", "ada")]
    assert [row.status for row in versions(world)] == ["DEPRECATED", "ACTIVE"]
    assert (active(world).resolution, active(world).resolved_by) == (resolution, "ada")
    assert_settled(world)


@pytest.mark.parametrize("step", [Step.TABLE_LOADED, Step.LEASE_CHECKED])
def test_a_decision_that_slept_past_its_lease_changes_nothing(world: World, step: Step) -> None:
    park(world, OTHER_TYPE)
    sleeper = worker.start(world, decision("merge"), Fault(step, Signals.SIGSTOP))
    assert sleeper.await_stop()
    world.expire_leases()
    ingest(world)
    decision("ignore", actor="bob")(world.deployment, world.ingestion)

    sleeper.go_on()
    assert sleeper.join() == worker.SERVICE_ERROR
    ingest(world)

    assert decisions(world) == [("schema.ignore", "bob")]
    assert rows(world) == [*three(1, OLD), *three(11, {"w": "new"})]
    assert_settled(world)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_fenced", [False, True])
def test_files_that_come_while_a_decision_sleeps_are_all_in_the_table_in_the_end(
    world: World, step: Step, is_fenced: bool
) -> None:
    park(world, OTHER_TYPE)
    sleeper = worker.start(world, decision("merge"), Fault(step, Signals.SIGSTOP))
    assert sleeper.await_stop()
    put(world, "c", 21, OLD)
    put(world, "d", 31, OTHER_TYPE)
    put(world, "e", 41, {**OLD, "extra": True})
    ingest(world)
    if is_fenced:
        world.expire_leases()
        ingest(world)

    sleeper.go_on()
    code = sleeper.join()
    ingest(world)
    if code == worker.SERVICE_ERROR:
        assert decisions(world) == []
        assert worker.run(world, decision("merge")) == 0
        ingest(world)

    old = {"v": "1", "w": "old"}
    assert rows(world) == [
        *three(1, old),
        *three(11, OTHER_TYPE),
        *three(21, old),
        *three(31, OTHER_TYPE),
        *three(41, {**old, "extra": True}),
    ]
    assert decisions(world) == [("schema.merge", "ada")]
    assert_settled(world)


BATCH_STEPS = [
    Step.CLAIMED,
    Step.STAGED,
    Step.RECORDED,
    Step.TABLE_LOADED,
    Step.LEASE_CHECKED,
    Step.COMMITTED,
    Step.MARKED,
]


def is_required(world: World, name: str) -> bool:
    (field,) = [field for field in active(world).fields if field["name"] == name]
    return bool(field.get("is_required", False))


@pytest.mark.parametrize("resolution", ["ignore", "merge"])
@pytest.mark.parametrize("step", BATCH_STEPS)
def test_a_decision_in_the_ledger_alone_is_not_lost_to_a_batch_at_work(
    world: World, step: Step, resolution: str
) -> None:
    park(world, WITHOUT)
    put(world, "c", 21, WITHOUT)
    put(world, "d", 31, {**OLD, "extra": True})
    batch = worker.start(world, work.engine_pass, Fault(step, Signals.SIGSTOP))
    assert batch.await_stop()

    decision(resolution)(world.deployment, world.ingestion)
    batch.go_on()
    assert batch.join() == 0
    ingest(world)

    assert rows(world) == [
        *three(1, OLD),
        *three(11, WITHOUT),
        *three(21, WITHOUT),
        *three(31, {**OLD, "extra": True}),
    ]
    assert is_required(world, "w") is (resolution == "ignore")
    assert decisions(world) == [(f"schema.{resolution}", "ada")]
    assert_settled(world)
    put(world, "f", 51, WITHOUT)
    ingest(world)
    assert_settled(world)


def test_a_decision_is_not_lost_to_two_batches_that_add_the_same_column(world: World) -> None:
    park(world, WITHOUT)
    world.batch_files = 1
    put(world, "c", 21, {**OLD, "extra": True})
    put(world, "d", 31, {**OLD, "extra": True})
    asleep = Fault(Step.STAGED, Signals.SIGSTOP)
    first = worker.start(world, work.engine_pass, asleep)
    assert first.await_stop()
    second = worker.start(world, work.engine_pass, asleep)
    assert second.await_stop()

    decision("merge")(world.deployment, world.ingestion)
    for batch in (first, second):
        batch.go_on()
        assert batch.join() == 0
    ingest(world)

    extra = {**OLD, "extra": True}
    assert rows(world) == [
        *three(1, OLD),
        *three(11, WITHOUT),
        *three(21, extra),
        *three(31, extra),
    ]
    assert not is_required(world, "w")
    assert_settled(world)


@pytest.mark.parametrize("new", [OTHER_TYPE, WITHOUT], ids=["other type", "without"])
@pytest.mark.parametrize("round_", range(3))
def test_a_decision_and_batches_at_once_lose_no_row_and_no_decision(
    world: World, new: Row, round_: int
) -> None:
    park(world, new)
    world.batch_files = 1 + round_
    for number in range(4):
        put(world, f"c{number}", 100 + 10 * number, OLD)
        put(world, f"d{number}", 200 + 10 * number, new)
    put(world, "e", 300, {**OLD, "extra": True})
    together = worker.barrier(3)
    deciding = worker.start(world, decision("merge"), barrier=together)
    batches = [worker.start(world, work.engine_pass, barrier=together) for _ in range(2)]

    assert [one.join() for one in (deciding, *batches)] == [0, 0, 0]
    for _ in range(2):
        ingest(world)

    ids = [1, 2, 3, 11, 12, 13, 300, 301, 302]
    ids += [first + 10 * n + i for first in (100, 200) for n in range(4) for i in range(3)]
    assert [row["id"] for row in rows(world)] == sorted(ids)
    texts = {"1", "one"} if new is OTHER_TYPE else {1}
    assert {row["v"] for row in rows(world)} == texts
    assert decisions(world) == [("schema.merge", "ada")]
    assert is_required(world, "w") is (new is OTHER_TYPE)
    assert_settled(world)


def test_of_two_people_who_decide_in_the_same_moment_one_is_refused(world: World) -> None:
    park(world, OTHER_TYPE)
    together = worker.barrier(2)
    both = [
        worker.start(world, decision(resolution, actor=actor), barrier=together)
        for resolution, actor in (("merge", "ada"), ("ignore", "bob"))
    ]
    assert sorted(one.join() for one in both) == [0, worker.SERVICE_ERROR]
    ingest(world)

    ((action, actor),) = decisions(world)
    assert (action, actor) in {("schema.merge", "ada"), ("schema.ignore", "bob")}
    kept = OTHER_TYPE if actor == "ada" else {"w": "new"}
    assert rows(world)[3:] == three(11, kept)
    assert_settled(world)


def test_a_fill_with_a_constant_is_made_once_by_whoever_finishes_it(world: World) -> None:
    park(world, RENAMED)
    decided = decision("backfill", {"word": Constant("none")})
    assert worker.run(world, decided, Fault(Step.COMMITTED)) == -Signals.SIGKILL
    put(world, "c", 21, {"v": 2, "w": "later"})
    ingest(world)

    assert rows(world) == [
        *three(1, {**OLD, "word": "none"}),
        *three(11, RENAMED),
        *three(21, {"v": 2, "w": "later"}),
    ]
    assert_settled(world)


def test_a_column_that_is_dropped_does_not_come_back_before_the_ledger_knows(world: World) -> None:
    put(world, "a", 1, OLD)
    ingest(world)
    dropping = change(plan_drop_column, "v")
    sleeper = worker.start(world, dropping, Fault(Step.COMMITTED, Signals.SIGSTOP))
    assert sleeper.await_stop()
    put(world, "b", 11, OLD)
    ingest(world)

    sleeper.go_on()
    assert sleeper.join() == 0
    put(world, "c", 21, OLD)
    ingest(world)

    assert rows(world) == [
        *three(1, {"w": "old"}),
        *three(11, {"w": "old"}),
        *three(21, {"w": "old"}),
    ]
    assert [field["name"] for field in active(world).fields] == ["id", "w"]
    assert decisions(world) == [("schema.drop_column", "ada")]
    assert_settled(world)

"""A random schedule: what people, producers and workers do to one ingestion, in a seeded order."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from signal import Signals

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.snapshots import ancestors_of

from ingest_assets.engine.discovery import discover
from ingest_assets.engine.recovery import recover
from ingest_assets.engine.steps import Step
from ingest_assets.orchestration.planned_batches import plan_one
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.worker import Fault, Worker
from ingest_assets_tests.chaos.world import World

FAULTS_AT_MOST = 3
"""A file whose worker died four times is a dead-letter, which is another story."""
PASSES_AT_MOST = 10
KEYS = ("a.json", "b.json", "c.json", "d.json")
Act = Callable[[random.Random], None]
_DROWSY_STEPS = [Step.STAGED, Step.TABLE_LOADED, *[Step.LEASE_CHECKED] * 3, Step.COMMITTED]
_STEPS = [step for step in Step if step is not Step.REPORTED]


@dataclass
class Schedule:
    """One seeded life of a world. `log` is what happened, for the person who reads a failure."""

    world: World
    seed: int
    log: list[str] = field(default_factory=list)
    _sleepers: list[Worker] = field(default_factory=list)
    _faults: int = 0

    def run(self) -> None:
        """The schedule has happened, and after enough passes nothing is left to do."""
        rng = random.Random(self.seed)
        acts = self.acts()
        self.begin(rng)
        for act in rng.choices(list(acts), list(acts.values()), k=rng.randint(3, 7)):
            act(rng)
        self.settle(rng)

    def acts(self) -> dict[Act, int]:
        """What may happen, and how likely."""
        return {
            self.produce: 4,
            self.discover: 1,
            self.plan: 1,
            self.work: 4,
            self.recover: 1,
            self.let_leases_expire: 1,
            self.overtake: 4,
            self.wake_up: 2,
            self.roll_back: 1,
            self.ask_again: 1,
        }

    def begin(self, rng: random.Random) -> None:
        """What all schedules begin with."""
        self.produce(rng)
        self.work(rng)

    def produce(self, rng: random.Random) -> None:
        """Two to four keys have new content, some with rejected rows or one more column."""
        for key in rng.sample(KEYS, rng.randint(2, 4)):
            rows, rejected = rng.choice([0, 1, 3]), rng.choice([0, 0, 1])
            column = rng.choice([None, None, "extra", "more"])
            self.world.put(key, rows=max(rows, rejected), rejected=rejected, column=column)
            self.log.append(f"put {key}: {self.world.uploads[key]}")

    def discover(self, _rng: random.Random) -> None:
        """The same listing twice."""
        for _ in range(2):
            self.log.append(f"discover: {discover(self.world.deployment, self.world.ingestion)}")

    def plan(self, _rng: random.Random) -> None:
        """A batch waits that nobody has begun."""
        planned = plan_one(self.world.deployment, self.world.ingestion, "sensor")
        self.log.append(f"plan: {planned.keys if planned else None}")

    def work(self, rng: random.Random) -> None:
        """Up to two workers begin; some die and some fall asleep."""
        faults = [self._fault(rng) for _ in range(rng.choice([1, 1, 2]))]
        workers = [worker.start(self.world, work.engine_pass, fault) for fault in faults]
        for fault, one in zip(faults, workers, strict=True):
            if fault and fault.signal == Signals.SIGSTOP and one.await_stop():
                self._sleepers.append(one)
                self.log.append(f"work: asleep at {fault.step}")
            else:
                self.log.append(f"work: {fault} ended with {self._ended(one)}")

    def _fault(self, rng: random.Random) -> Fault | None:
        if self._faults == FAULTS_AT_MOST or rng.random() < 0.4:
            return None
        self._faults += 1
        if rng.random() < 0.5:
            return Fault(rng.choice(_STEPS), Signals.SIGKILL, rng.choice([1, 1, 2]))
        return Fault(rng.choice(_DROWSY_STEPS), Signals.SIGSTOP)

    def _ended(self, one: Worker) -> int:
        code = one.join()
        assert code in (0, -Signals.SIGKILL, worker.SERVICE_ERROR), f"exit code {code}"
        return code

    def recover(self, _rng: random.Random) -> None:
        """What every tick begins with."""
        self.log.append(f"recover: {recover(self.world.deployment, self.world.ingestion)}")

    def let_leases_expire(self, _rng: random.Random) -> None:
        """A minute passes."""
        self.world.expire_leases()
        self.log.append("leases expired")

    def overtake(self, rng: random.Random) -> None:
        """While a worker sleeps its files change; somebody finds that, and may ingest them."""
        if not self._sleepers:
            return
        self.produce(rng)
        self.discover(rng)
        if rng.random() < 0.6:
            self.let_leases_expire(rng)
            self.work(rng)
        if rng.random() < 0.5:
            self.wake_up(rng)

    def wake_up(self, rng: random.Random) -> None:
        """A sleeper goes on, however late it is."""
        if self._sleepers:
            sleeper = self._sleepers.pop(rng.randrange(len(self._sleepers)))
            sleeper.go_on()
            self.log.append(f"woke up, ended with {self._ended(sleeper)}")

    def roll_back(self, rng: random.Random) -> None:
        """Somebody takes the table back to one of its last snapshots."""
        table = self.world.table(rng.choice(self.world.suffixes))
        if table is None:
            return
        past = list(ancestors_of(table.current_snapshot(), table.metadata))[:6]
        if past:
            target = rng.choice(past)
            try:
                table.manage_snapshots().rollback_to_snapshot(target.snapshot_id).commit()
                self.log.append(f"{table.name()} was rolled back to {target.summary}")
            except CommitFailedException:
                self.log.append("a rollback lost the race")

    def ask_again(self, rng: random.Random) -> None:
        """A person asks for some keys, whatever their state."""
        keys = rng.sample(KEYS, rng.randint(1, 3))
        self.log.append(f"asked: {self.world.ask_for(*keys)}")

    def settle(self, rng: random.Random) -> None:
        """Everybody wakes up, and passes are made until no file and no batch waits."""
        while self._sleepers:
            self.wake_up(rng)
        for _ in range(PASSES_AT_MOST):
            self.world.expire_leases()
            work.engine_pass(self.world.deployment, self.world.ingestion)
            if self.world.is_settled():
                return
        raise AssertionError(f"after {PASSES_AT_MOST} passes: {self.world.files()}")

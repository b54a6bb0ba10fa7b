"""Services that fail, throttle, reset, hang and restart in the middle of the work, for fifty seeds.

Whatever they do, every row is in the table once and every file is accounted for. A failure names
its seed; `FAULTS_SEED=17` runs that one alone, and `FAULTS_SEEDS` says how many there are.
"""

import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from ingest_assets.engine.steps import Step
from ingest_assets.ledger.server import EmbeddedPostgres
from ingest_assets_tests.aws_server import AwsServer, s3_event
from ingest_assets_tests.chaos import work, worker
from ingest_assets_tests.chaos.fault_proxy import Fault, FaultProxy
from ingest_assets_tests.chaos.worker import Worker
from ingest_assets_tests.chaos.world import World
from ingest_assets_tests.conftest import S3Server

pytestmark = pytest.mark.slow

SEEDS = (
    [int(os.environ["FAULTS_SEED"])]
    if "FAULTS_SEED" in os.environ
    else list(range(int(os.environ.get("FAULTS_SEEDS", "50"))))
)
SEEDS_PER_TEST = 10
PASSES_AT_MOST = 30
FILES = 6
_STEPS = [step for step in Step if step not in (Step.REPORTED, Step.REJECTED_COMMITTED)]

by_seeds = pytest.mark.parametrize(
    "seeds",
    [SEEDS[start : start + SEEDS_PER_TEST] for start in range(0, len(SEEDS), SEEDS_PER_TEST)],
    ids=lambda seeds: f"seeds {seeds[0]} to {seeds[-1]}",
)


def _produce(world: World, rng: random.Random) -> None:
    """Some keys have new content, of a row or of 100 kB."""
    for number in rng.sample(range(FILES), rng.randint(2, FILES)):
        rows, rejected = rng.choice([1, 3, 2000]), rng.choice([0, 0, 1])
        world.put(f"{number}.json", rows=rows, rejected=rejected)


def _settle(world: World, to_do: worker.Work = work.engine_pass) -> None:
    """Passes are made until one has come to its end and no file and no batch waits."""
    for _ in range(PASSES_AT_MOST):
        world.expire_leases()
        code = worker.run(world, to_do)
        assert code in (0, worker.SERVICE_ERROR)
        if code == 0 and world.is_settled():
            return
    raise AssertionError(f"after {PASSES_AT_MOST} passes: {world.files()}")


def _live_with_a_faulty_s3(world: World, s3_url: str, seed: int) -> None:
    rng = random.Random(seed)
    with FaultProxy(s3_url, seed) as proxy:
        faulty = replace(world, environment={**world.environment, "AWS_ENDPOINT_URL": proxy.url})
        try:
            while set(proxy.met) < set(Fault):
                _produce(faulty, rng)
                _settle(faulty)
                faulty.assert_exactly_once()
        except BaseException as error:
            error.add_note(f"FAULTS_SEED={seed}; met so far: {proxy.met}")
            raise


@by_seeds
def test_an_s3_server_that_fails_throttles_resets_and_hangs_loses_and_doubles_nothing(
    world: World, s3: S3Server, seeds: Sequence[int]
) -> None:
    worlds = [world.another(f"s{seed}", batch_files=1 + seed % 4) for seed in seeds]
    with ThreadPoolExecutor(3) as pool:
        for done in [
            pool.submit(_live_with_a_faulty_s3, one, s3.endpoint_url, seed)
            for one, seed in zip(worlds, seeds, strict=True)
        ]:
            done.result()


@pytest.fixture
def postgres(service_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, which it restarts."""
    with EmbeddedPostgres(service_folder / "restarted") as server:
        yield server


@by_seeds
def test_a_postgres_that_restarts_in_the_middle_of_batches_loses_and_doubles_nothing(
    world: World, postgres: EmbeddedPostgres, seeds: Sequence[int]
) -> None:
    environment = {**world.environment, "INGEST_POSTGRES_URL": postgres.url}
    elsewhere = World(environment, world.bucket, world.client, name=f"first_{seeds[0]}")
    worlds = {seed: elsewhere.another(f"p{seed}", batch_files=1 + seed % 4) for seed in seeds}
    rngs = {seed: random.Random(seed) for seed in seeds}
    stopped = {seed: _stopped_in_a_batch(worlds[seed], rngs[seed]) for seed in seeds}
    _restart(postgres)
    for one in stopped.values():
        one.go_on()
    running = [_started(worlds[seed], rngs[seed]) for seed in seeds]
    _restart(postgres)
    for one in (*stopped.values(), *running):
        assert one.join() in (0, worker.SERVICE_ERROR)
    for seed, one in worlds.items():
        try:
            _settle(one)
            one.assert_exactly_once()
        except BaseException as error:
            error.add_note(f"FAULTS_SEED={seed}")
            raise
    elsewhere.dispose()


def _stopped_in_a_batch(world: World, rng: random.Random) -> Worker:
    """A worker that sleeps at some step of its first or second batch."""
    _produce(world, rng)
    step, turn = rng.choice(_STEPS), rng.randint(1, 2)
    one = worker.start(world, work.engine_pass, worker.Fault(step, Signals.SIGSTOP, turn))
    if not one.await_stop():  # there was no second batch
        return _stopped_in_a_batch(world, rng)
    return one


def _started(world: World, rng: random.Random) -> Worker:
    _produce(world, rng)
    return worker.start(world, work.engine_pass)


def _restart(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    postgres.start()


@dataclass
class ToldWorld(World):
    """A world whose files are found by the messages of a queue alone."""

    aws: AwsServer = field(kw_only=True)
    queue_url: str = field(kw_only=True)

    def is_settled(self) -> bool:
        """Nothing is in the queue either; what was received and not deleted comes again."""
        return super().is_settled() and not self.aws.messages(self.queue_url)

    @property
    def attributes(self) -> dict[str, Any]:
        """As any world's, with the queue."""
        declared = super().attributes
        discovery = {"mode": "notifications", "queue_url": self.queue_url}
        return {**declared, "source": {**declared["source"], "discovery": discovery}}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    """An S3 and SQS server."""
    with AwsServer() as server:
        yield server


def _live_with_redelivery(world: World, aws: AwsServer, bucket: str, seed: int) -> None:
    """Every message comes three times, in any order, some of them long after their file is read."""
    rng, late = random.Random(seed), list[str]()
    told = ToldWorld(
        {**world.environment, **aws.env()},
        bucket,
        aws.client("s3"),
        f"q{seed}",
        batch_files=1 + seed % 4,
        deployment=world.deployment,
        aws=aws,
        queue_url=aws.make_queue(),
    )
    try:
        _settle(told, work.notified_pass)  # the first listing, of nothing
        for _ in range(3):
            before = dict(told.uploads)
            _produce(told, rng)
            put = [key for key, upload in told.uploads.items() if before.get(key) is not upload]
            messages = [s3_event(bucket, f"{told.name}/{key}") for key in put]
            again = [*late, *messages, *messages]
            rng.shuffle(again)
            now, late = again[: len(again) // 2], again[len(again) // 2 :]
            sent = [*messages, *now]
            rng.shuffle(sent)
            aws.send(told.queue_url, *sent)
            if rng.random() < 0.5:
                fault = worker.Fault(rng.choice(_STEPS), Signals.SIGKILL)
                assert worker.run(told, work.notified_pass, fault) in (0, -Signals.SIGKILL)
            _settle(told, work.notified_pass)
        aws.send(told.queue_url, *late)
        _settle(told, work.notified_pass)
        told.assert_exactly_once()
    except BaseException as error:
        error.add_note(f"FAULTS_SEED={seed}")
        raise


@by_seeds
def test_messages_that_come_three_times_in_random_order_lose_and_double_nothing(
    world: World, aws: AwsServer, seeds: Sequence[int]
) -> None:
    bucket = aws.make_bucket()
    with ThreadPoolExecutor(3) as pool:
        for done in [
            pool.submit(_live_with_redelivery, world, aws, bucket, seed) for seed in seeds
        ]:
            done.result()

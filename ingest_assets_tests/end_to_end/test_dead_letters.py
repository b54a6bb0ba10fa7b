"""A refused file is copied beside the report that says why, once, whatever gets in the way."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.engine import dead_letters, stager
from ingest_assets.files.dead_letters import DeadLetterStore
from ingest_assets.files.object_store import Patience
from ingest_assets.files.unreachable import StoreUnreachableError
from ingest_assets.ledger import dead_letters as taken
from ingest_assets.orchestration.reconciling import reconcile_all
from ingest_assets.orchestration.tick import run_tick
from ingest_assets.orchestration.upkeep import keep_up
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.test_silent_bucket import SilentServer, silent
from ingest_assets_tests.end_to_end.workshop import Workshop

__all__ = ["silent"]

BAD = cut_gzip(orders(100, 400))


@pytest.fixture
def place(workshop: Workshop) -> Callable[[], dict[str, bytes]]:
    """What lies where the workshop's dead letters go by default, by name."""
    folder = workshop.deployment.settings.home / "dead_letter" / "orders"

    def found() -> dict[str, bytes]:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    return found


def upkeep(workshop: Workshop, **changes: Any) -> list[str]:
    ingestion, limit = workshop.ingestion(**changes), timedelta(minutes=1)
    return keep_up(workshop.deployment, ingestion, workshop.instance, limit)


def let_waits_pass(workshop: Workshop) -> None:
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.dead_letter_copies SET next_try_at = now()")
        connection.exec_driver_sql("UPDATE ingest.ingestions SET copies_retry_at = now()")


def test_a_refused_file_lies_beside_the_report_that_says_why(
    workshop: Workshop, place: Any
) -> None:
    workshop.put("2026/a.jsonl.gz", BAD)
    workshop.put("good.jsonl", json_lines(orders(1)))
    workshop.ingest()
    assert upkeep(workshop) == ["1 dead letters copied"]
    found = place()
    assert found.keys() == {"2026/a.jsonl.gz", "2026/a.jsonl.gz.error.json"}
    assert found["2026/a.jsonl.gz"] == BAD
    report = json.loads(found["2026/a.jsonl.gz.error.json"])
    file = workshop.files()["2026/a.jsonl.gz"]
    expected = {
        "ingestion": "orders",
        "table": "raw.orders",
        "source_uri": f"s3://{workshop.bucket}/orders/2026/a.jsonl.gz",
        "key": "2026/a.jsonl.gz",
        "etag": file.etag,
        "size_bytes": len(BAD),
        "error_type": "CorruptFileError",
        "error": file.error,
        "copy_uri": file.dead_letter_copy,
        "not_copied": None,
        "replay_command": "ingest-assets replay orders --status DEAD_LETTER --key=2026/a.jsonl.gz",
    }
    assert expected.items() <= report.items()
    assert "CorruptFileError" in report["traceback"]
    [attempt] = report["attempts"]
    assert (attempt["outcome"], attempt["batch_id"]) == ("DEAD_LETTER", report["batch_id"])
    assert attempt["run_id"] == report["run_id"]
    assert attempt["started_at"] <= attempt["finished_at"] <= report["copied_at"]
    assert Path(str(file.dead_letter_report).removeprefix("file://")).exists()
    listed = workshop.s3.client.list_objects_v2(Bucket=workshop.bucket)["Contents"]
    assert [item["Key"] for item in listed] == ["orders/2026/a.jsonl.gz", "orders/good.jsonl"]


def test_all_attempts_of_a_file_are_in_its_report(
    workshop: Workshop, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))

    def read(*_arguments: Any) -> Any:
        raise OSError("the disk is odd")

    with monkeypatch.context() as odd:
        odd.setattr(stager, "fetch", read)
        workshop.ingest(retries={"attempts": 3, "backoff_minutes": [0]})
    upkeep(workshop)
    report = json.loads(place()["a.jsonl.error.json"])
    assert [a["outcome"] for a in report["attempts"]] == ["FAILED", "FAILED", "DEAD_LETTER"]
    assert place()["a.jsonl"] == json_lines(orders(1))


def test_a_copy_is_made_once_and_again_when_the_file_is_refused_again(
    workshop: Workshop, place: Any
) -> None:
    workshop.put("a.jsonl.gz", BAD)
    workshop.ingest()
    assert upkeep(workshop) == ["1 dead letters copied"]
    first = place()
    assert upkeep(workshop) == []
    assert place() == first
    other = cut_gzip(orders(7, 500))
    workshop.put("a.jsonl.gz", other)
    workshop.ingest()
    assert upkeep(workshop) == ["1 dead letters copied"]
    assert place()["a.jsonl.gz"] == other
    assert json.loads(place()["a.jsonl.gz.error.json"])["size_bytes"] == len(other)


@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "replaced"])
def test_only_the_report_is_written_when_the_object_is_another_by_now(
    workshop: Workshop, place: Any, is_gone: bool
) -> None:
    workshop.put("a.jsonl.gz", BAD)
    workshop.ingest()
    if is_gone:
        workshop.s3.client.delete_object(Bucket=workshop.bucket, Key="orders/a.jsonl.gz")
    else:
        workshop.put("a.jsonl.gz", BAD + b"more")
    assert upkeep(workshop) == ["1 dead letters reported without a copy"]
    assert place().keys() == {"a.jsonl.gz.error.json"}
    report = json.loads(place()["a.jsonl.gz.error.json"])
    said = "is gone" if is_gone else "was replaced by other content"
    assert said in report["not_copied"]
    assert report["copy_uri"] is None
    assert workshop.files()["a.jsonl.gz"].dead_letter_copy is None


def test_a_file_that_is_too_large_to_be_read_is_too_large_to_be_copied(
    workshop: Workshop, place: Any
) -> None:
    workshop.put("a.jsonl", json_lines(orders(1)))
    small = {"source": {"max_file_bytes": 10}}
    workshop.ingest(**small)
    upkeep(workshop, **small)
    assert place().keys() == {"a.jsonl.error.json"}
    report = json.loads(place()["a.jsonl.error.json"])
    assert report["not_copied"].startswith("The object is larger than source.max_file_bytes (10)")


def test_a_place_out_of_reach_holds_nothing_up_and_the_copy_is_tried_again(
    workshop: Workshop, place: Any
) -> None:
    folder = workshop.deployment.settings.home / "dead_letter"
    folder.write_text("in the way")
    workshop.put("a.jsonl.gz", BAD)
    workshop.put("b.jsonl", json_lines(orders(1)))
    assert workshop.ingest().counts == {"DEAD_LETTER": 1, "SUCCESS": 1}
    assert upkeep(workshop) == ["1 dead letters not copied, tried again later"]
    file = workshop.files()["a.jsonl.gz"]
    assert "cannot be written" in str(file.dead_letter_error)
    assert upkeep(workshop) == []
    folder.unlink()
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["1 dead letters copied"]
    assert place()["a.jsonl.gz"] == BAD
    assert workshop.files()["a.jsonl.gz"].dead_letter_error is None


def test_a_folder_that_no_dead_letter_could_be_copied_to_may_hold_files(
    workshop: Workshop, place: Any
) -> None:
    workshop.put("a.jsonl.gz", BAD)
    workshop.put("b.jsonl", json_lines(orders(1)))
    home = workshop.deployment.settings.home
    (home / "mistaken").write_text("in the way")
    mistaken = {"dead_letter": {"uri": f"file://{home}/mistaken/"}}
    workshop.ingest(**mistaken)
    assert upkeep(workshop, **mistaken) == ["1 dead letters not copied, tried again later"]
    assert folders(workshop) == []
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["1 dead letters copied"]
    assert folders(workshop) == [f"file://{home}/dead_letter/orders/"]


def folders(workshop: Workshop) -> list[str]:
    """Where dead letters were ever copied to."""
    with workshop.deployment.ledger.transaction() as connection:
        found = connection.exec_driver_sql("SELECT folder FROM ingest.dead_letter_folders")
        return list(found.scalars())


def tries(workshop: Workshop) -> int:
    with workshop.deployment.ledger.transaction() as connection:
        return int(
            connection.exec_driver_sql("SELECT sum(tries) FROM ingest.dead_letter_copies").scalar()
        )


def test_a_place_out_of_reach_is_met_once_and_all_copies_wait(
    workshop: Workshop, place: Any
) -> None:
    folder = workshop.deployment.settings.home / "dead_letter"
    folder.write_text("in the way")
    for key in "abc":
        workshop.put(f"{key}.jsonl.gz", BAD)
    workshop.ingest()
    assert upkeep(workshop) == ["1 dead letters not copied, tried again later"]
    workshop.put("d.jsonl.gz", BAD)
    workshop.ingest()
    assert upkeep(workshop) == []
    assert tries(workshop) == 1
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["1 dead letters not copied, tried again later"]
    folder.unlink()
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["4 dead letters copied"]
    workshop.put("e.jsonl.gz", BAD)
    workshop.ingest()
    assert upkeep(workshop) == ["1 dead letters copied"]


def test_a_silent_source_is_asked_once_by_the_copier_and_by_nobody_else(
    workshop: Workshop,
    place: Any,
    silent: SilentServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dead_letters, "HASTY", Patience(timedelta(seconds=1), retries=0))
    for key in "abc":
        workshop.put(f"{key}.jsonl.gz", BAD)
    workshop.ingest()
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", silent.address)
        assert upkeep(workshop) == ["1 dead letters not copied, tried again later"]
        assert len(silent.accepted) == 1
        with pytest.raises(StoreUnreachableError, match="asked again in"):
            run_tick(workshop.deployment, workshop.ingestion(), workshop.instance, "sensor")
        assert len(silent.accepted) == 1
    assert place() == {}
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["3 dead letters copied"]


def test_a_copier_that_dies_half_way_is_followed_by_one_that_makes_the_same(
    workshop: Workshop, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put("a.jsonl.gz", BAD)
    workshop.ingest()

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(dead_letters, "_report", die)
        with pytest.raises(KeyboardInterrupt):
            upkeep(workshop)
    assert place().keys() == {"a.jsonl.gz"}
    assert upkeep(workshop) == []  # nobody else tries for a while
    let_waits_pass(workshop)
    assert upkeep(workshop) == ["1 dead letters copied"]
    assert place().keys() == {"a.jsonl.gz", "a.jsonl.gz.error.json"}


def test_what_a_short_upkeep_does_not_come_to_is_due_at_the_next(
    workshop: Workshop, place: Any
) -> None:
    for number in range(3):
        workshop.put(f"{number}.jsonl.gz", BAD)
    workshop.ingest()
    looks = iter([False, False, True, True])
    deployment, ingestion = workshop.deployment, workshop.ingestion()
    done = dead_letters.copy_dead_letters(deployment, ingestion, lambda: next(looks))
    assert done.copied == 1
    assert upkeep(workshop) == ["2 dead letters copied"]
    assert len(place()) == 6


def test_a_copy_that_takes_long_is_not_begun_again_beside_the_first(
    workshop: Workshop, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taken, "TAKEN", timedelta(seconds=2))
    monkeypatch.setattr(taken, "RENEWAL", timedelta(seconds=0.2), raising=False)
    for key in "ab":
        workshop.put(f"{key}.jsonl.gz", BAD)
    workshop.ingest()
    put, others = DeadLetterStore.put_copy, list[str]()

    def slowly(*arguments: Any) -> str:
        with monkeypatch.context() as quick:
            quick.setattr(DeadLetterStore, "put_copy", put)
            time.sleep(3)
            others.extend(upkeep(workshop))
        return put(*arguments)

    monkeypatch.setattr(DeadLetterStore, "put_copy", slowly)
    looks = iter([False, False, True, True])
    deployment, ingestion = workshop.deployment, workshop.ingestion()
    done = dead_letters.copy_dead_letters(deployment, ingestion, lambda: next(looks))
    assert (done.copied, others) == (1, [])
    monkeypatch.setattr(DeadLetterStore, "put_copy", put)
    assert upkeep(workshop) == ["1 dead letters copied"], "the other one is due at once"


def test_dead_letters_in_the_source_itself_are_never_listed(workshop: Workshop) -> None:
    inside = {"dead_letter": {"uri": f"s3://{workshop.bucket}/orders/dead/"}}
    workshop.put("a/ü 100%.jsonl.gz", BAD)
    for _ in range(2):
        workshop.ingest(**inside)
        upkeep(workshop, **inside)
    assert workshop.statuses() == {"a/ü 100%.jsonl.gz": "DEAD_LETTER"}
    listed = workshop.s3.client.list_objects_v2(Bucket=workshop.bucket, Prefix="orders/dead/")
    assert [item["Key"] for item in listed["Contents"]] == [
        "orders/dead/orders/a/ü 100%25.jsonl.gz",
        "orders/dead/orders/a/ü 100%25.jsonl.gz.error.json",
    ]


def test_a_folder_that_holds_the_home_is_not_fed_with_its_dead_letters(
    workshop: Workshop, place: Any
) -> None:
    home = workshop.deployment.settings.home
    landing = {"source": {"uri": f"file://{home}/", "pattern": "**/*.gz"}}
    (home / "a.jsonl.gz").write_bytes(BAD)
    for _ in range(2):
        workshop.ingest(**landing)
        upkeep(workshop, **landing)
    assert workshop.statuses() == {"a.jsonl.gz": "DEAD_LETTER"}
    assert place()["a.jsonl.gz"] == BAD


def test_dead_letters_at_an_earlier_place_in_the_source_are_never_ingested(
    workshop: Workshop,
) -> None:
    key, first, second = "a.jsonl", json_lines(orders(10, 2)), json_lines(orders(20, 2))
    source = {"on_changed_file": "fail"}
    inside = {"uri": f"s3://{workshop.bucket}/orders/_dead/"}
    elsewhere = {"uri": f"s3://{workshop.bucket}/elsewhere/"}
    for content in (first, second):
        workshop.put(key, content)
        workshop.ingest(source=source, dead_letter=inside)
    assert upkeep(workshop, source=source, dead_letter=inside) == ["1 dead letters copied"]
    assert workshop.materialize(key, source=source, dead_letter=inside).success
    workshop.ingest(source=source, dead_letter=elsewhere)
    assert (workshop.statuses(), workshop.order_ids()) == ({key: "SUCCESS"}, [20, 21])
    workshop.put("_dead/b.jsonl", json_lines(orders(30, 1)))
    workshop.ingest(source=source, dead_letter=elsewhere)
    assert workshop.statuses()["_dead/b.jsonl"] == "SUCCESS", "the folder of copies alone is out"
    ingestion = workshop.ingestion(source=source, dead_letter=elsewhere)
    found = reconcile_all(workshop.deployment, ingestion, workshop.instance, with_bucket=True)
    assert found.fresh_objects == 0

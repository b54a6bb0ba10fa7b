"""Files whose rows are in the table are tagged, moved or deleted as their declaration says."""

from pathlib import Path
from typing import Any

import pytest

from ingest_assets.engine import finished_files
from ingest_assets.engine.replay import Choice, ReplayPlan, plan_replay, replay
from ingest_assets.engine.replay_text import plan_lines
from ingest_assets.ledger.states import FileStatus
from ingest_assets_tests.end_to_end.finishing import (
    Landing,
    execute,
    let_waits_run_out,
    states,
    upkeep,
)
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

A, B = json_lines(orders(1)), json_lines(orders(11))
ODD = "odd/a b\n%20+é?.json"


@pytest.fixture(params=["s3", "local"])
def landing(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Landing:
    """A source on either kind of store."""
    return Landing(workshop, tmp_path / "landing" if request.param == "local" else None)


@pytest.fixture
def s3_landing(workshop: Workshop) -> Landing:
    return Landing(workshop)


def test_ingested_files_are_deleted_and_their_rows_stay(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    landing.put(ODD, B)
    landing.put("empty.json", b"")
    landing.put("broken.json", b"{no json")
    workshop.ingest(**rules)

    assert upkeep(workshop, **rules) == ["1 dead letters copied", "3 source files deleted"]

    assert landing.keys == {"orders/broken.json"}
    deleted = dict.fromkeys(["a.json", ODD, "empty.json"], "deleted")
    assert states(workshop) == {**deleted, "broken.json": None}
    assert workshop.order_ids() == [1, 2, 3, 11, 12, 13]
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == []
    assert workshop.statuses() == {
        **dict.fromkeys(deleted, "SUCCESS"),
        "broken.json": "DEAD_LETTER",
    }


def test_ingested_files_are_moved_and_can_be_read_again_from_there(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    landing.put(ODD, B)
    workshop.ingest(**rules)

    assert upkeep(workshop, **rules) == ["2 source files moved"]

    assert landing.objects() == {"done/a.json": A, f"done/{ODD}": B}
    assert workshop.files()[ODD].source_moved_to == f"{landing.archive_uri}{ODD}"
    before = workshop.files()["a.json"].batch_id
    assert workshop.materialize("a.json", **rules).success
    assert workshop.files()["a.json"].batch_id != before
    assert workshop.order_ids() == [1, 2, 3, 11, 12, 13]
    assert upkeep(workshop, **rules) == []


def test_what_is_in_the_archive_is_never_overwritten(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", b"somebody's", place="done")
    for body in (A, B, A):
        landing.put("a.json", body)
        workshop.ingest(**rules)
        assert upkeep(workshop, **rules) == ["1 source files moved"]
        moved_to = workshop.files()["a.json"].source_moved_to or ""
        assert moved_to.startswith(f"{landing.archive_uri}a.json.")
        key = moved_to.removeprefix(landing.archive_uri)
        assert landing.objects()[f"done/{key}"] == body
    kept = landing.objects()
    assert kept["done/a.json"] == b"somebody's"
    assert "orders/a.json" not in kept


def test_a_file_that_came_back_with_the_same_bytes_is_finished_again(s3_landing: Landing) -> None:
    workshop, rules = s3_landing.workshop, s3_landing.declared("move")
    s3_landing.put("a.json", A)
    workshop.ingest(**rules)
    upkeep(workshop, **rules)
    execute(workshop, "UPDATE ingest.files SET modified_at = modified_at - interval '1 minute'")
    s3_landing.put("a.json", A)
    assert workshop.ingest(**rules).counts == {}
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert s3_landing.objects() == {"done/a.json": A}
    assert workshop.ingest(**rules).counts == {}
    assert upkeep(workshop, **rules) == []


def test_a_tag_joins_the_object_s_own(s3_landing: Landing) -> None:
    workshop, rules = s3_landing.workshop, s3_landing.declared("tag")
    client, bucket = workshop.s3.client, workshop.bucket
    for key, count in (("a.json", 2), ("full.json", 10)):
        s3_landing.put(key, A)
        own = [{"Key": f"own{number}", "Value": "x"} for number in range(count)]
        client.put_object_tagging(Bucket=bucket, Key=f"orders/{key}", Tagging={"TagSet": own})
    workshop.ingest(**rules)

    assert upkeep(workshop, **rules) == ["1 source files tagged, 1 could not be finished"]

    tags = client.get_object_tagging(Bucket=bucket, Key="orders/a.json")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "own0": "x",
        "own1": "x",
        "ingest_assets": "ingested",
    }
    full = workshop.files()["full.json"]
    assert full.source_state == "waiting"
    assert "it has 10 tags, as many as S3 allows" in (full.source_error or "")
    assert upkeep(workshop, **rules) == []


def test_files_are_finished_after_so_many_days(s3_landing: Landing) -> None:
    workshop, rules = s3_landing.workshop, s3_landing.declared("delete", after_days=7)
    s3_landing.put("old.json", A)
    s3_landing.put("young.json", B)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == []
    execute(
        workshop,
        "UPDATE ingest.files SET ingested_at = ingested_at - interval '7 days' "
        "WHERE key = 'old.json'",
    )
    assert upkeep(workshop, **rules) == ["1 source files deleted"]
    assert s3_landing.keys == {"orders/young.json"}


def test_a_file_with_rejected_rows_is_kept(s3_landing: Landing) -> None:
    workshop, rules = s3_landing.workshop, s3_landing.declared("delete")
    s3_landing.put("a.json", json_lines(orders(1, 20)) + b"{no json\n")
    workshop.ingest(**rules)
    assert workshop.files()["a.json"].rejected == 1
    assert upkeep(workshop, **rules) == []
    assert s3_landing.keys == {"orders/a.json"}


def test_a_newer_upload_is_not_taken_for_what_was_ingested(landing: Landing) -> None:
    workshop = landing.workshop
    for action in ("delete", "move"):
        rules = landing.declared(action)
        landing.put("a.json", A)
        workshop.ingest(**rules)
        landing.put("a.json", B)
        assert upkeep(workshop, **rules) == ["1 could not be finished"]
        assert landing.objects() == {"orders/a.json": B}
        assert "was replaced by other content" in (workshop.files()["a.json"].source_error or "")
        let_waits_run_out(workshop)
        workshop.ingest(**rules)
        assert workshop.order_ids() == [11, 12, 13]
        assert workshop.files()["a.json"].source_error is None
        assert upkeep(workshop, **rules) == [f"1 source files {action}d"]


def test_a_deleted_file_that_is_asked_for_again_says_why_it_cannot_be_read(
    landing: Landing,
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    upkeep(workshop, **rules)
    assert not workshop.materialize("a.json", **rules).success
    file = workshop.files()["a.json"]
    assert file.status == "FAILED"
    assert "source.after_success found it deleted" in (file.error or "")
    assert "The rows that it brought earlier stay in the table." in (file.error or "")
    assert workshop.order_ids() == [1, 2, 3]
    assert upkeep(workshop, **rules) == []


def test_a_replay_leaves_alone_what_is_gone_until_it_is_uploaded_again(
    s3_landing: Landing,
) -> None:
    workshop, rules = s3_landing.workshop, s3_landing.declared("delete")
    success = Choice(statuses=(FileStatus.SUCCESS,))
    for key in ("deleted.json", "gone.json"):
        s3_landing.put(key, A)
    workshop.ingest(**rules)

    def planned() -> ReplayPlan:
        return plan_replay(workshop.deployment, workshop.ingestion(**rules), success)

    early = planned()
    assert (early.files, early.taken_away) == (2, 0)
    s3_landing.remove("gone.json")
    assert upkeep(workshop, **rules) == ["1 source files deleted, 1 source files gone"]

    assert replay(workshop.deployment, early, "Ada", "") == 0
    late = planned()
    assert (late.files, late.taken_away) == (0, 2)
    said = "and their rows are in the table: 2 files, deleted.json, gone.json. Upload them again"
    assert said in "\n".join(plan_lines(late))
    s3_landing.put("deleted.json", A)
    workshop.ingest(**rules)
    assert planned().keys == ("deleted.json",)
    assert replay(workshop.deployment, planned(), "Ada", "") == 1
    assert workshop.ingest(**rules).counts == {"SUCCESS": 1}


def test_a_file_that_is_sent_back_right_before_its_turn_keeps_its_object(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Landing(workshop, tmp_path / "landing")
    rules = landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    prove = finished_files.proven

    def replayed_first(*arguments: Any) -> Any:
        chosen = Choice(statuses=(FileStatus.SUCCESS,))
        plan = plan_replay(workshop.deployment, workshop.ingestion(**rules), chosen)
        assert replay(workshop.deployment, plan, "Ada", "") == 1
        return prove(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(finished_files, "proven", replayed_first)
        assert upkeep(workshop, **rules) == []
    assert landing.keys == {"orders/a.json"}
    assert workshop.ingest(**rules).counts == {"SUCCESS": 1}
    assert upkeep(workshop, **rules) == ["1 source files deleted"]


def test_a_moved_file_that_was_taken_from_the_archive_says_so(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    upkeep(workshop, **rules)
    landing.remove("a.json", place="done")
    assert not workshop.materialize("a.json", **rules).success
    error = workshop.files()["a.json"].error or ""
    assert f"was moved to {landing.archive_uri}a.json by source.after_success" in error
    assert workshop.order_ids() == [1, 2, 3]


def test_what_somebody_else_took_away_is_gone(landing: Landing) -> None:
    workshop = landing.workshop
    for action in ("delete", "move"):
        rules = landing.declared(action)
        landing.put("a.json", A if action == "move" else B)
        workshop.ingest(**rules)
        landing.remove("a.json")
        assert upkeep(workshop, **rules) == ["1 source files gone"]
        assert states(workshop) == {"a.json": "gone"}


def test_many_files_are_finished_page_by_page_in_one_pass(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_files, "PAGE_FILES", 10)
    landing = Landing(workshop, tmp_path / "landing")
    rules = landing.declared("delete")
    for number in range(55):
        landing.put(f"{number:02}.json", b"")
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == ["55 source files deleted"]
    assert landing.keys == set()

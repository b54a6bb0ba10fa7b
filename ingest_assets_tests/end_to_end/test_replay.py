"""Files that are read again on request: all their attempts, their rows replaced, never doubled."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from ingest_assets.decision_errors import ReplayRefusedError
from ingest_assets.engine import stager
from ingest_assets.engine.replay import Choice, ReplayPlan, plan_replay, replay
from ingest_assets.errors import ObjectStoreError
from ingest_assets.ledger.planning import plan
from ingest_assets.ledger.states import FileStatus
from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

WIDE = {"max_rejected_ratio": 0.9}


def planned(workshop: Workshop, **choice: Any) -> ReplayPlan:
    statuses = tuple(FileStatus(status) for status in choice.pop("statuses", ()))
    return plan_replay(
        workshop.deployment, workshop.ingestion(), Choice(statuses=statuses, **choice)
    )


def replayed(workshop: Workshop, **choice: Any) -> int:
    return replay(workshop.deployment, planned(workshop, **choice), "Ada", "after the fix")


def audit(workshop: Workshop) -> list[Any]:
    with workshop.deployment.ledger.transaction() as connection:
        found = text("SELECT actor, detail FROM ingest.audit WHERE action = 'replay' ORDER BY at")
        return list(connection.execute(found).all())


@pytest.fixture
def all_states(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A file in each state that can be replayed, named after it."""
    workshop.put("success.jsonl", json_lines(orders(1)))
    workshop.ingest()
    workshop.put("dead.jsonl.gz", cut_gzip(orders(100, 400)))
    workshop.put("parked.jsonl", json_lines(orders(4, amount={"value": 1})))
    workshop.put("failed.jsonl", json_lines(orders(7)))
    workshop.put("rejected.jsonl", json_lines(orders(10)))
    workshop.put("skipped.jsonl", json_lines(orders(13)))
    fetch = stager.fetch

    def read(*arguments: Any) -> Any:
        if arguments[2].source.key == "failed.jsonl":
            raise ObjectStoreError("the network is odd")
        return fetch(*arguments)

    with monkeypatch.context() as odd:
        odd.setattr(stager, "fetch", read)
        workshop.ingest()
    with workshop.deployment.ledger.transaction() as connection:
        for status in ("rejected", "skipped"):
            connection.execute(
                text("UPDATE ingest.files SET status = :status WHERE key = :key"),
                {"status": status.upper(), "key": f"{status}.jsonl"},
            )
    return workshop


def test_every_file_comes_back_with_all_attempts_and_no_error(all_states: Workshop) -> None:
    workshop = all_states
    before = workshop.rows()
    statuses = [status for status in FileStatus if status not in ("DISCOVERED", "PROCESSING")]
    assert replayed(workshop, statuses=statuses) == 6
    for file in workshop.files().values():
        assert (file.status, file.attempts, file.error) == ("DISCOVERED", 0, None)
        assert (file.error_type, file.next_attempt_at) == (None, None)
    assert workshop.rows() == before
    assert workshop.files()["success.jsonl"].rows == 3
    assert workshop.partitions() >= {"success.jsonl"}
    [(actor, detail)] = audit(workshop)
    assert actor == "Ada"
    assert (detail["note"], detail["files"]) == ("after the fix", 6)
    assert detail["chosen"] == {"statuses": [*statuses]}
    workshop.ingest()
    assert workshop.order_ids() == [1, 2, 3, 7, 8, 9, *range(10, 16)]
    assert workshop.statuses() == {
        "success.jsonl": "SUCCESS",
        "dead.jsonl.gz": "DEAD_LETTER",
        "parked.jsonl": "PARKED",
        "failed.jsonl": "SUCCESS",
        "rejected.jsonl": "SUCCESS",
        "skipped.jsonl": "SUCCESS",
    }


WAITING = {"dead.jsonl.gz", "failed.jsonl", "parked.jsonl"}
CONDITIONS: list[tuple[dict[str, Any], set[str]]] = [
    ({"all_files": True}, {*WAITING, "old.jsonl"}),
    ({"statuses": ["SUCCESS"]}, {"success.jsonl"}),
    ({"statuses": ["REJECTED", "SKIPPED"]}, {"rejected.jsonl", "skipped.jsonl"}),
    ({"error_type": "CorruptFileError"}, {"dead.jsonl.gz"}),
    ({"error": "network is odd"}, {"failed.jsonl"}),
    ({"error": "network is o_d"}, set()),
    ({"key": "**/{d,f}*"}, {"dead.jsonl.gz", "failed.jsonl"}),
    ({"key": "*.gz", "statuses": ["FAILED"]}, set()),
    ({"newer_than": timedelta(hours=1)}, WAITING),
    ({"older_than": timedelta(hours=1)}, {"old.jsonl"}),
    ({"has_rejected_rows": True}, set()),
]


def test_conditions_choose_files_and_all_of_them_must_hold(all_states: Workshop) -> None:
    with all_states.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("""
            INSERT INTO ingest.files (ingestion, key, uri, status, content_id, etag, size_bytes,
                                      modified_at, updated_at)
            SELECT ingestion, 'old.jsonl', uri, 'FAILED', content_id, etag, 0, modified_at,
                   now() - interval '2 hours'
            FROM ingest.files WHERE key = 'success.jsonl'
        """)
    for choice, keys in CONDITIONS:
        found = planned(all_states, **choice)
        assert ({*found.keys}, found.files) == (keys, len(keys)), choice


def test_what_no_condition_names_and_what_fits_but_for_its_state_is_said(
    all_states: Workshop,
) -> None:
    with pytest.raises(ReplayRefusedError, match="Which files"):
        planned(all_states)
    with pytest.raises(ReplayRefusedError, match="too many patterns"):
        planned(all_states, key="{1..9999}")
    assert planned(all_states, key="*").others == {
        FileStatus.REJECTED: 1,
        FileStatus.SKIPPED: 1,
        FileStatus.SUCCESS: 1,
    }


def test_a_file_that_a_batch_holds_is_named_and_left_alone(all_states: Workshop) -> None:
    workshop = all_states
    early = planned(workshop, statuses=["FAILED", "DEAD_LETTER"])
    assert early.files == 2
    with workshop.deployment.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE ingest.files SET next_attempt_at = now()")
        batch = plan(connection, "orders", max_files=9, max_bytes=10**9, origin="sensor")
    assert batch is not None
    assert batch.keys == ("failed.jsonl",)
    late = planned(workshop, key="*d*.*")
    assert (late.held, late.held_keys) == (1, ("failed.jsonl",))
    assert {*late.keys} == {"dead.jsonl.gz", "parked.jsonl"}
    assert replay(workshop.deployment, early, "Ada", "") == 1
    assert workshop.statuses()["dead.jsonl.gz"] == "DISCOVERED"
    assert workshop.statuses()["failed.jsonl"] == "FAILED"


def test_a_replay_with_nothing_to_do_leaves_no_word_in_the_audit(all_states: Workshop) -> None:
    assert replayed(all_states, key="none*") == 0
    assert audit(all_states) == []


def test_a_file_that_the_pattern_leaves_out_is_not_wanted_after_all(workshop: Workshop) -> None:
    workshop.put("a.junk", b"{broken")
    workshop.ingest()
    workshop.ingest(source={"pattern": "**/*.jsonl"})
    assert workshop.statuses() == {"a.junk": "SKIPPED"}
    found = planned(workshop, statuses=["SKIPPED"])
    assert (found.files, found.left_out) == (0, 1)


def test_a_file_that_has_no_rejected_rows_after_a_fix_has_none_in_their_table(
    workshop: Workshop,
) -> None:
    semicolons = {"type": "csv", "options": {"delimiter": ";"}}
    workshop.put("a.csv", b"order_id;note\n1;first\n2;'seco;nd'\n3;third\n")
    workshop.put("b.csv", b"order_id;note\n4;fourth\n5;fif;th\n")
    workshop.put("c.csv", b"order_id;note\n6;sixth\n")
    workshop.ingest(format=semicolons, **WIDE)
    rejected = "raw.orders__rejected"
    assert [row["raw"] for row in workshop.rows(rejected)] == ["2;'seco;nd'", "5;fif;th"]
    assert planned(workshop, has_rejected_rows=True).keys == ("a.csv", "b.csv")

    semicolons["options"] = {"delimiter": ";", "quote": "'"}
    assert replayed(workshop, has_rejected_rows=True) == 2
    assert len(workshop.rows(rejected)) == 2
    assert workshop.ingest(format=semicolons, **WIDE).is_all_well

    assert [row["raw"] for row in workshop.rows(rejected)] == ["5;fif;th"]
    assert workshop.order_ids() == [1, 2, 3, 4, 6]
    assert planned(workshop, has_rejected_rows=True).keys == ("b.csv",)

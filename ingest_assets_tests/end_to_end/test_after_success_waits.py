"""An object is left alone as long as anything about its file is not certain, and says why."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.engine import finished_files
from ingest_assets.engine.deletion import plan_deletion
from ingest_assets.files import finished_local, finished_s3
from ingest_assets.ledger import source_objects
from ingest_assets.orchestration import standing_changes
from ingest_assets_tests.end_to_end.finishing import (
    Landing,
    execute,
    let_waits_run_out,
    states,
    upkeep,
)
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop, attributes, declare

A, B = json_lines(orders(1)), json_lines(orders(11))
DELETED, UNCERTAIN = "1 source files deleted", "1 not certain to be in the table"
WANTED = "1 wanted by another ingestion"


@pytest.fixture
def landing(workshop: Workshop) -> Landing:
    return Landing(workshop)


def _table(workshop: Workshop) -> Any:
    return workshop.deployment.catalog.load_table("raw.orders")


def _roll_back(workshop: Workshop, snapshot_id: int) -> None:
    _table(workshop).manage_snapshots().rollback_to_snapshot(snapshot_id).commit()


def test_a_rollback_that_no_tick_has_seen_keeps_the_object(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    first = _table(workshop).current_snapshot().snapshot_id
    landing.put("b.json", B)
    landing.put("empty.json", b"")
    workshop.ingest(**rules)
    _roll_back(workshop, first)

    assert upkeep(workshop, **rules) == [f"{DELETED}, 2 not certain to be in the table"]

    assert landing.keys == {"orders/b.json", "orders/empty.json"}
    error = workshop.files()["b.json"].source_error or ""
    assert error.startswith("Not finished: the main branch of raw.orders has neither batch")
    let_waits_run_out(workshop)
    workshop.ingest(**rules)
    assert workshop.order_ids() == [1, 2, 3, 11, 12, 13]
    assert upkeep(workshop, **rules) == ["2 source files deleted"]


@pytest.mark.parametrize("is_rolled_back", [False, True])
def test_where_the_snapshot_has_expired_the_rows_are_the_proof(
    landing: Landing, is_rolled_back: bool
) -> None:
    """Also when a rollback and the expiry of what it left came between two ticks."""
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest()
    first = _table(workshop).current_snapshot().snapshot_id
    landing.put("b.json", B)
    workshop.ingest()
    second = _table(workshop).current_snapshot().snapshot_id
    if is_rolled_back:
        _roll_back(workshop, first)
    _table(workshop).append(_table(workshop).scan().to_arrow().slice(0, 0))
    _table(workshop).maintenance.expire_snapshots().by_ids([first, second]).commit()

    said = upkeep(workshop, **rules)

    if is_rolled_back:
        assert said == [f"{DELETED}, {UNCERTAIN}"]
        assert landing.keys == {"orders/b.json"}
    else:
        assert said == ["2 source files deleted"]


def test_a_dropped_table_keeps_the_objects(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    workshop.deployment.catalog.drop_table("raw.orders")
    assert upkeep(workshop, **rules) == [UNCERTAIN]
    assert upkeep(workshop, **rules) == []
    assert landing.keys == {"orders/a.json"}


def _declare_copies(workshop: Workshop, **source: Any) -> dict[str, Any]:
    """Another ingestion is declared, on the whole bucket; the changes that make it."""
    copies = {"name": "copies", "table": {"identifier": "raw.copies"}}
    copies["source"] = {"uri": f"s3://{workshop.bucket}", "pattern": "orders/*.json", **source}
    declare(workshop.deployment.settings.defs, attributes(workshop.bucket, **copies))
    return copies


def test_an_object_waits_for_every_other_ingestion_that_wants_it(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    copies = _declare_copies(workshop)
    landing.put("a.json", A)
    workshop.ingest(**rules)

    assert upkeep(workshop, **rules) == [WANTED]  # not found by it yet
    error = "Not finished: the ingestion copies still wants it."
    assert workshop.files()["a.json"].source_error == error
    workshop.ingest(**copies)
    done = workshop.statuses("copies")
    assert done == {"orders/a.json": "SUCCESS"}
    for status in ("FAILED", "PARKED", "DEAD_LETTER", "REJECTED", "DISCOVERED"):
        set_ = f"UPDATE ingest.files SET status = '{status}' WHERE ingestion = 'copies'"
        execute(workshop, set_)
        let_waits_run_out(workshop)
        assert upkeep(workshop, **rules) == [WANTED], status
    for change in ("etag = 'older'", "rejected = 1", "batch_id = 'its own'"):
        execute(workshop, "CREATE TABLE kept AS SELECT * FROM ingest.files")
        execute(
            workshop,
            f"UPDATE ingest.files SET status = 'SUCCESS', {change} WHERE ingestion = 'copies'",
        )
        let_waits_run_out(workshop)
        assert upkeep(workshop, **rules) == [WANTED], change
        execute(
            workshop,
            "UPDATE ingest.files f SET etag = kept.etag, rejected = 0, batch_id = NULL "
            "FROM kept WHERE kept.file_id = f.file_id",
        )
        execute(workshop, "DROP TABLE kept")
    assert landing.keys == {"orders/a.json"}
    execute(workshop, "UPDATE ingest.files SET status = 'SUCCESS'")
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == [DELETED]


def test_a_rollback_of_the_other_table_keeps_the_object_too(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    copies = _declare_copies(workshop)
    landing.put("a.json", A)
    workshop.ingest(**rules)
    workshop.ingest(**copies)
    workshop.deployment.catalog.drop_table("raw.copies")
    assert upkeep(workshop, **rules) == [WANTED]
    assert landing.keys == {"orders/a.json"}


@pytest.mark.parametrize("changes", [{"pattern": "*.csv"}, {"start": {"include_existing": False}}])
def test_an_ingestion_that_leaves_a_file_out_does_not_want_it(
    landing: Landing, changes: dict[str, Any]
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    copies = _declare_copies(workshop, **changes)
    workshop.ingest(**rules)
    workshop.ingest(**copies)
    assert upkeep(workshop, **rules) == [DELETED]


def _copies(workshop: Workshop, pattern: str = "orders/*.json") -> dict[str, Any]:
    """The changes of an ingestion on the whole bucket that the folder here does not declare."""
    source = {"uri": f"s3://{workshop.bucket}", "pattern": pattern}
    return {"name": "copies", "table": {"identifier": "raw.copies"}, "source": source}


def _with_copies(landing: Landing) -> tuple[Workshop, dict[str, Any], dict[str, Any]]:
    """The workshop, and the changes of two ingestions: one that deletes, and `_copies`."""
    return landing.workshop, landing.declared("delete"), _copies(landing.workshop)


def test_an_object_waits_for_an_ingestion_that_only_the_ledger_knows(landing: Landing) -> None:
    """As in a project that uses the component alone, or with declarations in several folders."""
    workshop, rules, copies = _with_copies(landing)
    landing.put("a.json", A)
    workshop.ingest(**copies)
    landing.put("b.json", B)
    workshop.ingest(**rules)

    assert upkeep(workshop, **rules) == [f"{DELETED}, {WANTED}"]

    assert landing.keys == {"orders/b.json"}
    error = workshop.files()["b.json"].source_error or ""
    assert error.startswith("Not finished: the ingestion copies, which is not declared here, still")
    workshop.ingest(**copies)
    for change in ("status = 'FAILED'", "etag = 'older'", "rejected = 1"):
        execute(workshop, "CREATE TABLE kept AS SELECT * FROM ingest.files")
        execute(workshop, f"UPDATE ingest.files SET {change} WHERE ingestion = 'copies'")
        let_waits_run_out(workshop)
        assert upkeep(workshop, **rules) == [WANTED], change
        execute(
            workshop,
            "UPDATE ingest.files f SET status = kept.status, etag = kept.etag, rejected = 0 "
            "FROM kept WHERE kept.file_id = f.file_id",
        )
        execute(workshop, "DROP TABLE kept")
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == [DELETED]
    assert landing.keys == set()


def test_a_rollback_of_a_table_that_is_not_declared_keeps_the_object_too(landing: Landing) -> None:
    workshop, rules, copies = _with_copies(landing)
    landing.put("a.json", A)
    workshop.ingest(**copies)
    workshop.ingest(**rules)
    workshop.deployment.catalog.drop_table("raw.copies")
    assert upkeep(workshop, **rules) == [WANTED]
    assert landing.keys == {"orders/a.json"}


def test_what_the_last_tick_of_an_ingestion_left_out_is_not_kept_for_it(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**_copies(workshop, "orders/*.csv"))
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == [DELETED]


def test_an_ingestion_that_is_not_declared_holds_objects_until_it_is_deleted(
    landing: Landing,
) -> None:
    workshop, rules, copies = _with_copies(landing)
    workshop.ingest(**copies)
    landing.put("a.json", A)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == [WANTED]
    error = workshop.files()["a.json"].source_error or ""
    assert error.endswith("If it is retired: `ingest-assets delete copies`")
    plan = plan_deletion(
        workshop.deployment, "copies", drops_table=False, purges=False, removes_declaration=False
    )
    standing_changes.delete(workshop.deployment, plan, workshop.instance, "Ada", "")
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == [DELETED]


def test_a_local_file_waits_for_an_ingestion_that_writes_its_folder_otherwise(
    workshop: Workshop, tmp_path: Path
) -> None:
    landing = Landing(workshop, tmp_path / "landing")
    rules = landing.declared("delete")
    copies = {**_copies(workshop), "source": {"uri": f"file://{tmp_path}//landing/orders"}}
    landing.put("a.json", A)
    workshop.ingest(**copies)
    landing.put("b.json", B)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == [f"{DELETED}, {WANTED}"]


def test_a_copy_that_other_content_took_the_place_of_is_made_again_beside_it(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who looked at the place before it was there copies right after it."""
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    head, looks = finished_s3.S3Finishing._head, list[Any]()

    def overtaken(finishing: finished_s3.S3Finishing, target: Any) -> Any:
        looks.append(target)
        if len(looks) == 2:
            landing.put("a.json", B, place="done")
        return head(finishing, target)

    monkeypatch.setattr(finished_s3.S3Finishing, "_head", overtaken)

    assert upkeep(workshop, **rules) == ["1 source files moved"]

    moved_to = workshop.files()["a.json"].source_moved_to or ""
    assert moved_to.startswith(f"{landing.archive_uri}a.json.")
    key = moved_to.removeprefix(landing.archive_uri)
    assert landing.objects() == {"done/a.json": B, f"done/{key}": A}


def test_of_two_that_finish_one_object_the_later_finds_it_gone(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    declare(workshop.deployment.settings.defs, attributes(workshop.bucket, **rules))
    copies = _declare_copies(
        workshop, uri=landing.uri, pattern="*.json", after_success={"action": "delete"}
    )
    landing.put("a.json", A)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == [WANTED]
    workshop.ingest(**copies)
    assert upkeep(workshop, **copies) == [DELETED]
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == ["1 source files gone"]


def test_declarations_that_do_not_hold_keep_every_object(
    landing: Landing, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    (workshop.deployment.settings.defs / "defs.yaml").write_text("type: nothing")
    assert upkeep(workshop, **rules) == []
    assert "Upkeep of orders waits: defs.yaml" in caplog.text
    assert landing.keys == {"orders/a.json"}


def _deny(workshop: Workshop, *actions: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{workshop.bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    workshop.s3.client.put_bucket_policy(Bucket=workshop.bucket, Policy=policy)


def test_a_refusal_of_the_store_ends_the_pass_names_the_right_and_is_not_asked_again_at_once(
    landing: Landing, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    names = [f"{number:02}.json" for number in range(20)]
    for name in names:
        landing.put(name, A)
    workshop.ingest(**rules)
    _deny(workshop, "s3:DeleteObject")

    assert upkeep(workshop, **rules) == []

    allow = "Allow s3:DeleteObject and s3:GetObject on the source"
    assert "cannot be deleted (AccessDenied). The credentials are valid" in caplog.text
    assert caplog.text.count(allow) == 1
    waiting = [row for row in workshop.files().values() if row.source_state == "waiting"]
    assert 0 < len(waiting) <= finished_files.THREADS
    assert all(allow in (row.source_error or "") for row in waiting)
    caplog.clear()
    assert upkeep(workshop, **rules) == []
    assert caplog.text == ""
    let_waits_run_out(workshop)
    workshop.s3.client.delete_bucket_policy(Bucket=workshop.bucket)
    assert upkeep(workshop, **rules) == ["20 source files deleted"]


def test_a_move_that_may_not_delete_leaves_both_and_is_finished_later(
    landing: Landing, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    _deny(workshop, "s3:DeleteObject")
    assert upkeep(workshop, **rules) == []
    assert "cannot be moved (AccessDenied)" in caplog.text
    assert landing.objects() == {"orders/a.json": A, "done/a.json": A}
    workshop.s3.client.delete_bucket_policy(Bucket=workshop.bucket)
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert landing.objects() == {"done/a.json": A}


def test_a_bucket_out_of_reach_is_a_line_in_the_log(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert upkeep(workshop, **rules) == []
    assert "Upkeep of orders waits" in caplog.text
    assert "The store did not answer" in (workshop.files()["a.json"].source_error or "")
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == [DELETED]


def test_a_bucket_that_is_not_there_has_lost_no_object(
    landing: Landing, caplog: pytest.LogCaptureFixture
) -> None:
    workshop, rules = landing.workshop, landing.declared("delete")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    landing.remove("a.json")
    workshop.s3.client.delete_bucket(Bucket=workshop.bucket)
    assert upkeep(workshop, **rules) == []
    assert "The bucket does not exist" in caplog.text
    assert states(workshop) == {"a.json": "waiting"}
    workshop.s3.client.create_bucket(Bucket=workshop.bucket)
    landing.put("a.json", A)
    let_waits_run_out(workshop)
    assert upkeep(workshop, **rules) == [DELETED]


def test_a_folder_that_cannot_be_written_keeps_the_file(
    workshop: Workshop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    landing = Landing(workshop, tmp_path / "landing")
    rules = landing.declared("move")
    landing.put("sub/a.json", A)
    workshop.ingest(**rules)
    (tmp_path / "landing" / "done").write_bytes(b"not a folder")
    assert upkeep(workshop, **rules) == []
    assert "sub/a.json cannot be moved" in caplog.text
    assert landing.keys == {"orders/sub/a.json", "done"}
    assert states(workshop) == {"sub/a.json": "waiting"}


_KILLED = """
import os
from pathlib import Path
from ingest_assets.deployment import Deployment
from ingest_assets.engine.finished_files import finish_files
from ingest_assets.files.finished_s3 import S3Finishing

def killed(*_arguments, **_named):
    os.kill(os.getpid(), 9)

{patch}
deployment = Deployment.from_env()
finish_files(deployment, deployment.ingestion("orders"), lambda: False)
"""
BEFORE_THE_DELETE = "S3Finishing._delete = killed"


def _kill(workshop: Workshop, rules: dict[str, Any], patch: str, url: str) -> None:
    """A process that works on the files is killed where `patch` says."""
    defs = workshop.deployment.settings.defs
    declare(defs, attributes(workshop.bucket, **rules))
    environment = {
        **os.environ,
        **workshop.s3.env(),
        "INGEST_HOME": str(workshop.deployment.settings.home),
        "INGEST_DEFS": str(defs),
        "INGEST_POSTGRES_URL": url,
    }
    code = _KILLED.format(patch=patch)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, timeout=60, check=False, capture_output=True
    )
    assert done.returncode == -9, done.stderr.decode()


def test_a_worker_killed_between_copy_and_delete_is_followed_by_one_that_ends_the_move(
    landing: Landing, fresh_database: str
) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    _kill(workshop, rules, BEFORE_THE_DELETE, fresh_database)
    assert landing.objects() == {"orders/a.json": A, "done/a.json": A}
    assert states(workshop) == {"a.json": None}
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert landing.objects() == {"done/a.json": A}


class _Killed(BaseException):
    """What nothing catches: all that follows is left undone."""


def _killed(*_arguments: object, **_named: object) -> None:
    raise _Killed


@pytest.mark.parametrize(
    ("store", "deletes"),
    [("s3", (finished_s3.S3Finishing, "_delete")), ("local", (Path, "unlink"))],
)
def test_a_move_cut_off_before_the_delete_and_after_it_still_knows_where_the_object_is(
    workshop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    deletes: tuple[type, str],
) -> None:
    landing = Landing(workshop, tmp_path / "landing" if store == "local" else None)
    rules = landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    steps: list[tuple[Any, dict[str, bytes]]] = [
        (deletes, {"orders/a.json": A, "done/a.json": A}),
        ((source_objects, "record"), {"done/a.json": A}),
    ]
    for step, left in steps:
        with monkeypatch.context() as patched:
            patched.setattr(*step, _killed)
            with pytest.raises(_Killed):
                upkeep(workshop, **rules)
        assert landing.objects() == left
        assert states(workshop) == {"a.json": None}
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert workshop.files()["a.json"].source_moved_to == f"{landing.archive_uri}a.json"


def test_a_large_object_is_copied_in_parts(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finished_s3, "ONE_COPY_BYTES", 5 * 1024**2)
    monkeypatch.setattr(finished_s3, "_PART_BYTES", 5 * 1024**2)
    workshop, rules = landing.workshop, landing.declared("move")
    body = json_lines(orders(1, 2, note="x" * 3 * 1024**2))
    landing.put("a.json", body)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert landing.objects() == {"done/a.json": body}
    head = workshop.s3.client.head_object(Bucket=workshop.bucket, Key="done/a.json")
    assert "-" in head["ETag"]
    assert workshop.materialize("a.json", **rules).success


def test_of_two_passes_at_once_the_later_leaves_what_the_first_recorded(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The etag of a copy in parts is another, so the later cannot tell where the object went."""
    monkeypatch.setattr(finished_s3, "ONE_COPY_BYTES", 1)
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    acts = finished_files._Work._acted

    def overtaken(*arguments: Any) -> Any:
        with monkeypatch.context() as alone:
            alone.setattr(finished_files._Work, "_acted", acts)
            assert upkeep(workshop, **rules) == ["1 source files moved"]
        return acts(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(finished_files._Work, "_acted", overtaken)
        upkeep(workshop, **rules)

    assert landing.objects() == {"done/a.json": A}
    assert states(workshop) == {"a.json": "moved"}
    assert workshop.materialize("a.json", **rules).success, "read from where it was moved"


def test_where_a_file_cannot_have_two_names_it_is_copied(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(finished_local.errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(finished_local.os, "link", refused)
    landing = Landing(workshop, tmp_path / "landing")
    rules = landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == ["1 source files moved"]
    assert landing.objects() == {"done/a.json": A}
    assert workshop.materialize("a.json", **rules).success


def test_a_rollback_after_a_move_reads_the_files_from_where_they_are(landing: Landing) -> None:
    workshop, rules = landing.workshop, landing.declared("move")
    landing.put("a.json", A)
    workshop.ingest(**rules)
    first = _table(workshop).current_snapshot().snapshot_id
    landing.put("b.json", B)
    workshop.ingest(**rules)
    assert upkeep(workshop, **rules) == ["2 source files moved"]
    _roll_back(workshop, first)
    assert workshop.ingest(**rules).counts == {"SUCCESS": 1}
    assert workshop.order_ids() == [1, 2, 3, 11, 12, 13]
    assert landing.keys == {"done/a.json", "done/b.json"}

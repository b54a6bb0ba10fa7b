"""What `append` kept, and what `ignore` leaves unread, stays so when a file is mended."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ingest_assets.engine.disagreement import Remedy
from ingest_assets_tests.end_to_end.test_changed_files import KEY, A, B, put
from ingest_assets_tests.end_to_end.test_moved_contents import both
from ingest_assets_tests.end_to_end.test_moved_contents import part as part_contents
from ingest_assets_tests.end_to_end.test_reconcile import (
    append,
    check,
    execute,
    mend,
    rows_of,
    said,
)
from ingest_assets_tests.end_to_end.two_shapes import PLAIN
from ingest_assets_tests.end_to_end.workshop import Workshop

MODES = ["append", "replace", "ignore", "fail"]


def under(mode: str) -> dict[str, object]:
    """The change of a declaration that says so."""
    return {"source": {"on_changed_file": mode}}


def older_rows(workshop: Workshop) -> pa.Table:
    """Those of the first of two contents."""
    found = rows_of(workshop, KEY)
    older = pc.min(found["_content_id"])
    return found.filter(pc.equal(found["_content_id"], older))


@pytest.mark.parametrize("mode", MODES)
def test_contents_that_append_kept_agree_in_every_mode(workshop: Workshop, mode: str) -> None:
    put(workshop, A, B, mode="append")
    assert said(check(workshop, **under(mode))) == []


def test_rows_of_a_kept_content_that_somebody_doubled_are_found(workshop: Workshop) -> None:
    put(workshop, A, B, mode="append")
    append(workshop, older_rows(workshop).slice(0, 1))
    found = check(workshop, **under("append"))
    assert said(found) == [("rows_doubled", KEY, None)]
    assert "1 of 3 rows of an earlier content" in found.disagreements[0].cause


def test_rows_of_a_kept_content_that_somebody_deleted_are_found_and_forgotten(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="append")
    older = older_rows(workshop)
    table = workshop.deployment.catalog.load_table("raw.orders")
    table.delete("order_id = 10")
    found = check(workshop, **under("append"))
    assert said(found) == [("row_count", KEY, None)]
    assert "the table has 1 rows of an earlier content" in found.disagreements[0].cause
    table.refresh()
    table.delete("order_id = 11")
    found = check(workshop, **under("replace"))
    assert said(found) == [("kept_rows_missing", KEY, Remedy.FORGET)]
    assert len(mend(workshop, found)) == 1
    assert said(check(workshop, **under("append"))) == []
    assert workshop.order_ids() == [20, 21]
    assert workshop.files()[KEY].lost_contents == 1

    append(workshop, older)
    assert said(check(workshop, **under("append"))) == [("other_content", KEY, None)]


def test_rows_of_kept_contents_are_known_when_their_attempts_are_in_the_archive(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="append")
    execute(workshop, "INSERT INTO ingest.attempts_archive SELECT * FROM ingest.attempts")
    execute(workshop, "DELETE FROM ingest.attempts")
    assert said(check(workshop, **under("append"))) == []
    workshop.deployment.catalog.load_table("raw.orders").delete("order_id = 10")
    assert said(check(workshop, **under("append"))) == [("row_count", KEY, None)]


def test_contents_that_append_kept_in_two_tables_agree_in_every_mode(workshop: Workshop) -> None:
    part_contents(workshop)
    assert both(workshop) == ([1, 2], [3])
    for mode in MODES:
        assert said(check(workshop, table=PLAIN, **under(mode))) == []


def test_a_file_with_contents_that_append_kept_is_read_again_only_under_append(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="append")
    append(workshop, rows_of(workshop, KEY).slice(0, 1), _content_id=4711)
    execute(workshop, "UPDATE ingest.files SET rows = 7")
    found = check(workshop, **under("replace"))
    assert said(found) == [("other_content", KEY, None), ("row_count", KEY, None)]
    causes = {d.kind.value: d.cause for d in found.disagreements}
    assert "would delete the rows of 1 older content that append kept" in causes["row_count"]
    assert mend(workshop, found) == []

    found = check(workshop, **under("append"))
    assert said(found) == [("other_content", KEY, None), ("row_count", KEY, Remedy.READ_AGAIN)]
    causes = {d.kind.value: d.cause for d in found.disagreements}
    assert "delete them by `_content_id`" in causes["other_content"]
    assert len(mend(workshop, found)) == 1
    workshop.ingest(**under("append"))
    assert [kind for kind, _, _ in said(check(workshop, **under("append")))] == ["other_content"]
    assert set(workshop.order_ids()) == {10, 11, 20, 21}


def test_a_held_file_with_contents_that_append_kept_is_left_to_a_person(workshop: Workshop) -> None:
    put(workshop, A, B, mode="append")
    execute(workshop, "UPDATE ingest.files SET status = 'PROCESSING'")
    assert said(check(workshop, **under("replace"))) == [("file_held", KEY, None)]
    assert said(check(workshop, **under("append"))) == [("file_held", KEY, Remedy.READ_AGAIN)]


def test_rows_of_the_newest_content_in_the_wrong_table_leave_it_under_append(
    workshop: Workshop,
) -> None:
    part_contents(workshop)
    stray = rows_of(workshop, "a.json", "raw.orders_v2")
    lineage = [name for name in stray.column_names if name.startswith("_")]
    append(workshop, stray.select([*lineage, "id"]))
    assert both(workshop) == ([1, 2, 3], [3])
    found = check(workshop, table=PLAIN, **under("replace"))
    assert said(found) == [("two_tables", "a.json", None)]
    found = check(workshop, table=PLAIN, **under("append"))
    assert said(found) == [("two_tables", "a.json", Remedy.READ_AGAIN)]
    assert len(mend(workshop, found)) == 1
    workshop.ingest(table=PLAIN, **under("append"))
    assert both(workshop) == ([1, 2], [3])
    assert said(check(workshop, table=PLAIN, **under("append"))) == []


def test_content_that_ignore_leaves_unread_is_not_read_for_rows_that_are_amiss(
    workshop: Workshop,
) -> None:
    put(workshop, A, B, mode="ignore")
    execute(workshop, "UPDATE ingest.files SET rows = 7")
    found = check(workshop, **under("ignore"))
    assert said(found) == [("row_count", KEY, None)]
    assert "which source.on_changed_file: ignore leaves unread" in found.disagreements[0].cause
    assert mend(workshop, found) == []
    execute(workshop, "UPDATE ingest.files SET status = 'PROCESSING'")
    assert said(check(workshop, **under("ignore"))) == [("file_held", KEY, None)]

    execute(workshop, "UPDATE ingest.files SET status = 'SUCCESS'")
    put(workshop, A, mode="ignore")
    found = check(workshop, **under("ignore"))
    assert said(found) == [("row_count", KEY, Remedy.READ_AGAIN)]
    assert len(mend(workshop, found)) == 1
    workshop.ingest(**under("ignore"))
    assert said(check(workshop, **under("ignore"))) == []
    assert workshop.order_ids() == [10, 11]


def test_a_partition_whose_newer_content_is_ignored_is_told_of_again(workshop: Workshop) -> None:
    workshop.put(KEY, A)
    workshop.ingest(**under("ignore"))
    workshop.put(KEY, B)
    workshop.ingest(**under("ignore"))
    workshop.instance.delete_dynamic_partition("orders", KEY)
    found = check(workshop, **under("ignore"))
    assert said(found) == [("partition_missing", KEY, Remedy.REPORT)]
    assert len(mend(workshop, found)) == 1
    assert said(check(workshop, **under("ignore"))) == []

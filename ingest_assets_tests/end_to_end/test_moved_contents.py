"""Under `append` a file that moves to another table leaves its older contents where they are."""

from ingest_assets.engine.column_changes import plan_rename_column
from ingest_assets.engine.decision_work import carry_out
from ingest_assets.schema.resolution import Resolution
from ingest_assets_tests.chaos.work import engine_pass
from ingest_assets_tests.end_to_end.test_changed_files import materialize
from ingest_assets_tests.end_to_end.test_moved_files import both, roll_back
from ingest_assets_tests.end_to_end.two_shapes import (
    DECLARED,
    OTHER,
    PLAIN,
    plain,
    priced,
    resolve,
)
from ingest_assets_tests.end_to_end.workshop import Workshop


def ingest(workshop: Workshop) -> None:
    """A pass under `append`, without Dagster."""
    ingestion = workshop.ingestion(source={"on_changed_file": "append"})
    engine_pass(workshop.deployment, ingestion)


def put(workshop: Workshop, *contents: bytes) -> None:
    """Each is ingested as a content of `a.json`."""
    for content in contents:
        workshop.put("a.json", content)
        ingest(workshop)


def part(workshop: Workshop) -> None:
    """`a.json` has a content of the declared shape, and one that is in the other table."""
    put(workshop, plain(1, 2), priced(3))
    assert workshop.statuses() == {"a.json": "PARKED"}
    resolve(workshop, 2, Resolution.NEW_TABLE, PLAIN)
    ingest(workshop)
    assert workshop.statuses() == {"a.json": "SUCCESS"}


def test_only_the_content_of_now_goes_to_the_other_table(workshop: Workshop) -> None:
    part(workshop)
    assert both(workshop) == ([1, 2], [3])


def test_contents_of_both_shapes_in_turn_are_each_in_their_table_once(workshop: Workshop) -> None:
    part(workshop)
    put(workshop, plain(4), priced(5), plain(1, 2), priced(3), plain(4))
    assert both(workshop) == ([1, 2, 4], [3, 5])
    assert workshop.files()["a.json"].lost_contents == 0


def test_a_rollback_of_the_declared_table_reads_the_content_of_now_again(
    workshop: Workshop,
) -> None:
    part(workshop)
    put(workshop, plain(4))
    roll_back(workshop, DECLARED)
    assert both(workshop) == ([1, 2], [3])
    ingest(workshop)
    assert both(workshop) == ([1, 2, 4], [3])


def test_a_rollback_of_the_other_table_reads_the_content_of_now_again(workshop: Workshop) -> None:
    part(workshop)
    put(workshop, priced(5))
    assert both(workshop) == ([1, 2], [3, 5])
    roll_back(workshop, OTHER)
    ingest(workshop)
    assert both(workshop) == ([1, 2], [3, 5])
    assert workshop.statuses() == {"a.json": "SUCCESS"}


def test_a_content_that_moved_and_that_a_rollback_brought_back_is_in_one_table(
    workshop: Workshop,
) -> None:
    put(workshop, plain(9), plain(1, 2))
    plan = plan_rename_column(workshop.deployment, workshop.ingestion(), "name", "title")
    carry_out(workshop.deployment, plan, "ada", "a test")
    materialize(workshop, "append")
    assert workshop.statuses() == {"a.json": "PARKED"}
    resolve(workshop, 3, Resolution.NEW_TABLE, PLAIN)
    ingest(workshop)
    assert both(workshop) == ([9], [1, 2])
    put(workshop, plain(5))
    assert both(workshop) == ([9], [1, 2, 5])

    roll_back(workshop, DECLARED)
    assert both(workshop) == ([1, 2, 9], [1, 2, 5])
    ingest(workshop)

    assert both(workshop) == ([9], [1, 2, 5])
    assert workshop.statuses() == {"a.json": "SUCCESS"}
    assert workshop.files()["a.json"].lost_contents == 0

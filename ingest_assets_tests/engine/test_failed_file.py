"""What is recorded of a file that failed: its state, and a message that ends with the way out."""

from datetime import UTC, datetime

import pytest

from ingest_assets.engine.failed_file import failed, parked
from ingest_assets.errors import CorruptFileError, ObjectStoreError, SchemaParkedError
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger.batches import ClaimedFile

EARLIER = " The rows that it brought earlier stay in the table."
WAY_OUT = (
    " Mend the file and upload it again under its key; or, after a change elsewhere (the "
    "declaration's format, transform, quality or max_rejected_ratio, a service), read it again "
    "with `ingest-assets replay INGESTION --status DEAD_LETTER`, or materialize its partition."
)


def _file(*, attempts: int = 0, committed: int | None = None) -> ClaimedFile:
    source = SourceFile("a", "s3://landing/a", 10, "etag", datetime.now(UTC))
    return ClaimedFile(1, 2, source, committed, attempts=attempts, crashes=0)


def test_a_final_error_makes_a_dead_letter_at_once_and_says_what_to_do() -> None:
    outcome = failed(_file(), CorruptFileError("It is cut short."), is_final=True, attempts=3)
    assert outcome.outcome == "DEAD_LETTER"
    assert outcome.error == "It is cut short." + WAY_OUT


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_file_that_is_tried_again_needs_no_way_out(attempts: int) -> None:
    error = ObjectStoreError("It is down.")
    outcome = failed(_file(attempts=attempts), error, is_final=False, attempts=3)
    assert (outcome.outcome, outcome.error) == ("FAILED", "It is down.")
    assert "ObjectStoreError: It is down." in (outcome.traceback or "")


def test_the_last_attempt_makes_a_dead_letter_and_says_so() -> None:
    error = ObjectStoreError("It is down.")
    outcome = failed(_file(attempts=2), error, is_final=False, attempts=3)
    assert outcome.outcome == "DEAD_LETTER"
    last = " This was attempt 3 of 3, and there is no other."
    assert outcome.error == "It is down." + last + WAY_OUT


def test_whatever_fails_says_that_earlier_rows_stay_where_there_are_any() -> None:
    file = _file(committed=1)
    error = SchemaParkedError("It waits.", 0, {"differences": {}})
    assert failed(file, ValueError(), is_final=False, attempts=3).error == "ValueError" + EARLIER
    assert parked(file, error, 0.0).error == "It waits." + EARLIER
    assert parked(_file(), error, 0.0).error == "It waits."

"""Files that wait, when the declaration's pattern has changed: left out, or taken back."""

from collections.abc import Callable, Sequence

from ingest_assets.deployment import Deployment
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import pattern

PAGE_FILES = 10_000


def apply_pattern(
    deployment: Deployment, ingestion: Ingestion, forget: Callable[[Sequence[str]], None]
) -> None:
    """No file waits that the pattern leaves out, and none is left out that it has.

    Such a file is SKIPPED, and `forget` is told of its key. Files that are in the table stay as
    they are. A pattern is applied once, page by page; again, until no batch holds such a file.
    """
    ledger, name, wanted = deployment.ledger, ingestion.name, ingestion.source.pattern
    with ledger.transaction() as connection:
        if pattern.is_applied(connection, name, wanted):
            return
    matches, after, is_done = matcher(wanted), "", True
    why = (
        f"source.pattern ({wanted}) leaves it out. It is taken back when the pattern has it again."
    )
    while True:
        with ledger.transaction() as connection:
            rows = pattern.waiting_files(connection, name, after=after, limit=PAGE_FILES)
            unwanted = [row.key for row in rows if not matches(row.key)]
            left_out = pattern.leave_out(connection, name, unwanted, why)
            is_done = is_done and len(left_out) == len(unwanted)
            wanted_again = [row.key for row in rows if row.is_skipped and matches(row.key)]
            pattern.take_back(connection, name, wanted_again)
        forget(left_out)
        if len(rows) < PAGE_FILES:
            break
        after = rows[-1].key
    if is_done:
        with ledger.transaction() as connection:
            pattern.note_applied(connection, name, wanted)

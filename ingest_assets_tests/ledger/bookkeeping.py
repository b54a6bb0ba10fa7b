"""One ingestion in a real ledger, and the steps of its files' way, short enough for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from ingest_assets.files.source_file import SourceFile
from ingest_assets.ledger import batches, listing, lookup, outcomes, planning
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.leases import Holder
from ingest_assets.ledger.ledger import Ledger
from ingest_assets.ledger.listing import Seen
from ingest_assets.ledger.outcomes import FileOutcome
from ingest_assets.ledger.planning import PlannedBatch
from ingest_assets.ledger.schema_versions import SchemaChange

BACKOFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15)]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def source_file(
    key: str, etag: str = "a", *, minute: int = 0, size_bytes: int = 10, day: int = 0
) -> SourceFile:
    """A listed object that was uploaded so many minutes after noon."""
    moment = NOON + timedelta(days=day, minutes=minute)
    return SourceFile(key, f"s3://landing/orders/{key}", size_bytes, etag, moment)


@dataclass
class Bookkeeping:
    """The ledger of one ingestion."""

    ledger: Ledger
    ingestion: str
    holder: Holder = field(default_factory=Holder.this_process)

    def see(self, *files: SourceFile, skipped: Sequence[str] = ()) -> Seen:
        """A listing found these files."""
        with self.ledger.transaction() as connection:
            seen = listing.record_listing(connection, self.ingestion, files, frozenset(skipped))
            listing.note_arrival(connection, self.ingestion, seen)
        return seen

    def plan(self, *, max_files: int = 1000, max_bytes: int = 1024**3) -> PlannedBatch | None:
        """The next batch, as a sensor plans it."""
        with self.ledger.transaction() as connection:
            return planning.plan(
                connection,
                self.ingestion,
                max_files=max_files,
                max_bytes=max_bytes,
                origin="sensor",
            )

    @property
    def run_by_hand(self) -> str:
        """The run that `ask_for` is for."""
        return f"{self.ingestion} by hand"

    def ask_for(
        self, *keys: str, max_files: int = 1000, max_bytes: int = 1024**3
    ) -> list[PlannedBatch]:
        """The batches of a run that a person asked for."""
        with self.ledger.transaction() as connection:
            return planning.plan_keys(
                connection,
                self.ingestion,
                keys,
                max_files=max_files,
                max_bytes=max_bytes,
                run_id=self.run_by_hand,
                holder=self.holder,
            )

    def claim(self, batch_id: str, run_id: str | None = None) -> ClaimedBatch | None:
        """The batch as this process's worker has it, in a run of its own if none is named."""
        with self.ledger.transaction() as connection:
            run_id = run_id or f"run-{batch_id}"
            return batches.claim(connection, batch_id, self.holder, run_id=run_id)

    def work(self) -> ClaimedBatch:
        """The next batch, planned and claimed."""
        planned = self.plan()
        assert planned is not None
        claimed = self.claim(planned.batch_id)
        assert claimed is not None
        return claimed

    def finish(
        self,
        batch: ClaimedBatch,
        *results: FileOutcome,
        changes: Sequence[SchemaChange] = (),
        snapshot_id: int | None = 7,
    ) -> bool:
        """The batch's outcomes are recorded and made true; SUCCESS for all when none are given."""
        results = results or tuple(FileOutcome(f.file_id, "SUCCESS", rows=3) for f in batch.files)
        with self.ledger.transaction() as connection:
            outcomes.record(connection, batch.batch_id, results, changes)
        with self.ledger.transaction() as connection:
            return outcomes.finish(
                connection,
                batch.batch_id,
                batch.token,
                snapshot_id=snapshot_id,
                backoff=BACKOFF,
            )

    def release(self, batch: ClaimedBatch, *, crashed: bool) -> bool:
        """The batch's files are given back."""
        with self.ledger.transaction() as connection:
            return outcomes.release(
                connection, batch.batch_id, batch.token, note="gone", crashed=crashed
            )

    def file(self, key: str) -> lookup.FileRow:
        """Where the file is, and why."""
        with self.ledger.transaction() as connection:
            (row,) = lookup.files(connection, self.ingestion, keys=[key])
        return row

    def statuses(self) -> dict[str, str]:
        """The status of every key."""
        with self.ledger.transaction() as connection:
            return {row.key: row.status for row in lookup.files(connection, self.ingestion)}

    def ask(self, query: str, **values: Any) -> list[Any]:
        """The rows of a question to the database, with `:ingestion` filled in."""
        with self.ledger.transaction() as connection:
            return list(connection.execute(text(query), {"ingestion": self.ingestion, **values}))

    def let_time_pass(self, minutes: float) -> None:
        """Postgres's own clock is real, so what waits is moved towards it."""
        with self.ledger.transaction() as connection:
            connection.execute(
                text("""
                    UPDATE ingest.files
                    SET next_attempt_at = next_attempt_at - CAST(:by AS interval)
                    WHERE ingestion = :ingestion
                """),
                {"ingestion": self.ingestion, "by": timedelta(minutes=minutes)},
            )

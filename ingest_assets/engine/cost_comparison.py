"""Estimate against actual: what a preview says of the files that came, and what was used."""

from dataclasses import dataclass, replace

from ingest_assets.cost.prices import Prices
from ingest_assets.cost.usage import Priced, Usage, priced
from ingest_assets.cost.workload import Arrivals, Measured, arrivals, expected_usage, files_a_batch
from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview.preview import preview
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import usage
from ingest_assets.ledger.usage import UsedFiles


@dataclass(frozen=True)
class ComparedLine:
    """One thing that is paid for. `estimated`: None where nothing can be measured now."""

    name: str
    unit: str
    used: Priced
    estimated: Priced | None

    @property
    def ratio(self) -> float | None:
        """Used by estimated amounts; None where that says nothing."""
        if self.estimated is None or not self.estimated.amount:
            return None
        return self.used.amount / self.estimated.amount


@dataclass(frozen=True)
class CostComparison:
    """What the last `days` days of an ingestion cost, and what they were estimated to."""

    ingestion: str
    days: int
    batches: int
    files: int
    currency: str
    lines: tuple[ComparedLine, ...]
    notes: tuple[str, ...]

    @property
    def used_amount(self) -> float:
        """All that was used."""
        return sum(line.used.amount for line in self.lines)

    @property
    def estimated_amount(self) -> float | None:
        """All that was estimated; None where nothing could be."""
        amounts = [line.estimated.amount for line in self.lines if line.estimated is not None]
        return sum(amounts) if len(amounts) == len(self.lines) else None


def compared_cost(
    deployment: Deployment, ingestion: Ingestion, prices: Prices, days: int
) -> CostComparison:
    """What was used in the last `days` days, beside the estimate for the files that came.

    The estimate has the preview's measures of the files that are in the source now, and of what was
    used only how many files of which size came when, and how often was looked.

    Raises:
        LedgerError: Postgres is out of reach.
    """
    with deployment.ledger.transaction() as connection:
        used = usage.of_days(connection, ingestion.name, days)
    actual = priced(used.discovery + used.batches, prices)
    came = arrivals(used.files, ingestion.source.discovery.interval_seconds)
    found = preview(
        deployment,
        ingestion,
        files_per_commit=files_a_batch(ingestion, came) if came.files else None,
    )
    measured, notes = found.measured, []
    if measured is None:
        why = found.problems[0] if found.problems else found.cost_refusal
        notes.append(f"There is no estimate: {why or 'no file of the source could be read'}")
    estimated: tuple[Priced, ...] | None = None
    if measured is not None and found.found is not None:
        estimated = priced(_expected(ingestion, used, came, measured, found.found.listed), prices)
    lines = tuple(
        ComparedLine(line.name, line.unit, line, estimated[number] if estimated else None)
        for number, line in enumerate(actual)
    )
    return CostComparison(
        ingestion.name,
        days,
        used.batch_count,
        len(used.files),
        prices.currency,
        lines,
        tuple(notes),
    )


def _expected(
    ingestion: Ingestion,
    used: UsedFiles,
    came: Arrivals,
    measured: Measured,
    listed_objects: int,
) -> Usage:
    """What these files should have used, of the time in which somebody looked for them."""
    seconds = used.looking_seconds
    return expected_usage(
        ingestion,
        replace(came, days=1.0),
        measured,
        listed_objects,
        days=1.0,
        looking_days=seconds / 86_400,
        begins=used.looking_spans,
    )

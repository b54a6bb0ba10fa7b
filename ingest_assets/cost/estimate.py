"""What a month of an ingestion would cost: pure arithmetic over what was found and measured."""

from dataclasses import dataclass

from ingest_assets.cost.prices import Prices
from ingest_assets.cost.usage import priced
from ingest_assets.cost.workload import Arrivals, Measured, batches_of, expected_usage
from ingest_assets.ingestion import Ingestion

MONTH_DAYS = 30


@dataclass(frozen=True)
class CostLine:
    """One thing that is paid for: so much of a unit in a month, at this price.

    `how`: where the quantity comes from, for a person who doubts it.
    """

    name: str
    quantity: float
    unit: str
    amount: float
    how: str


@dataclass(frozen=True)
class Estimate:
    """A month of 30 days in `currency`; `assumptions` are what the numbers stand on."""

    currency: str
    lines: tuple[CostLine, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def amount(self) -> float:
        """All lines together."""
        return sum(line.amount for line in self.lines)


def estimate(
    ingestion: Ingestion,
    came: Arrivals,
    measured: Measured,
    prices: Prices,
    *,
    listed_objects: int,
    is_cut: bool = False,
) -> Estimate:
    """The estimate of a month in which files come as those that were found."""
    usage = expected_usage(ingestion, came, measured, listed_objects, MONTH_DAYS)
    hows = _hows(ingestion, came, measured, listed_objects)
    lines = tuple(
        CostLine(line.name, line.quantity, line.unit, line.amount, hows[line.name])
        for line in priced(usage, prices)
    )
    return Estimate(
        prices.currency, lines, tuple(_assumptions(ingestion.source.uri, came, is_cut=is_cut))
    )


def _hows(
    ingestion: Ingestion, came: Arrivals, measured: Measured, listed_objects: int
) -> dict[str, str]:
    discovery = ingestion.source.discovery
    a_month = MONTH_DAYS / came.days
    batches = batches_of(ingestion, came) * a_month
    if discovery.mode == "notifications":
        listing = "found by events"
    elif discovery.mode == "both":
        listing = f"{listed_objects:,} objects every {discovery.listing_hours:g} hours"
    else:
        listing = f"{listed_objects:,} objects every {discovery.interval_seconds} s"
    if ingestion.schedule is not None:
        listing = f"{listed_objects:,} objects at {ingestion.schedule.cron!r}"
    compute = (
        f"{batches:,.0f} runs of {measured.start_cpu_seconds:.2g} CPU s, and "
        f"{measured.cpu_seconds_per_byte * 1e6:.3f} CPU s a MB"
    )
    if measured.history_batches:
        count = measured.history_batches
        compute += f", as the last {'batch' if count == 1 else f'{count:,} batches'} used"
    return {
        "listing": listing,
        "reading": f"{came.files * a_month:,.0f} files, and {batches:,.0f} commits",
        "writing": f"{batches:,.0f} commits of {measured.data_files_per_batch:.1f} data files",
        "queue": "events received and deleted" if discovery.queue_url else "no queue is declared",
        "compute": compute,
        "storage": f"{measured.table_bytes_per_byte:.0%} of the files' bytes, of one month",
    }


def _assumptions(source_uri: str, came: Arrivals, *, is_cut: bool) -> list[str]:
    if came.days <= 1:
        files = (
            "The one file is"
            if came.files == 1
            else f"All {came.files:,} files came within a day, and are"
        )
        said = [f"{files} taken for those of a day."]
    else:
        said = [f"{came.files:,} files came in {came.days:.1f} days, and go on coming so."]
    if is_cut:
        said.append("The listing was cut: there are more files, and the cost is higher.")
    if not source_uri.startswith("s3://"):
        said.append("Requests are priced as those of S3, whatever the store.")
    return [
        *said,
        "The prefix keeps its number of objects; storage is what one month adds, for one month.",
    ]

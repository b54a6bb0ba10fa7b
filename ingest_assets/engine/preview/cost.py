"""The cost of a month, from the files that were found and what their reading measured."""

from dataclasses import replace

from ingest_assets.cost.estimate import Estimate, estimate
from ingest_assets.cost.prices import PricesFileError, load_prices, prices_path
from ingest_assets.cost.workload import Arrivals, Measured, arrivals
from ingest_assets.engine.preview.listed import Listed
from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.services import Services
from ingest_assets.engine.preview.trial import Trial
from ingest_assets.errors import LedgerError
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import usage

HISTORY_BATCHES = 100
"""What was used is told from so many, the newest."""


def measured_of(trial: Trial, read_bytes: int) -> Measured | None:
    """What was measured of the files that are good; None where none is.

    Processor time is that of the trial, which reads each file by itself.
    """
    good = [file for file in trial.tried if file.outcome and file.outcome.outcome == "SUCCESS"]
    if not good or not read_bytes:
        return None
    return Measured(
        cpu_seconds_per_byte=trial.cpu_seconds / read_bytes,
        table_bytes_per_byte=trial.data_bytes / read_bytes,
        data_files_per_batch=trial.data_files / len(trial.batches),
        rejecting_share=trial.rejecting_share,
    )


def arrivals_of(ingestion: Ingestion, listed: Listed) -> Arrivals:
    """How the files that were found have come."""
    files = [(file.modified_at, file.size_bytes) for file in listed.files]
    return arrivals(files, ingestion.source.discovery.interval_seconds)


def with_cost(
    services: Services,
    ingestion: Ingestion,
    found: Preview,
    trial: Trial,
    listed: Listed,
    *,
    has_history: bool,
) -> Preview:
    """The preview with its estimate, or why there is none.

    `has_history`: the ledger's batches of that name are of these files. What was measured of the
    files alone is kept beside the estimate: used and estimated are compared by that.
    """
    read_bytes = sum(file.read_bytes for file in found.files if file.outcome == "SUCCESS")
    measured = measured_of(trial, read_bytes)
    if measured is None:
        return replace(found, cost_refusal="No file could be read, so nothing is known of cost.")
    try:
        prices = load_prices(prices_path(services.deployment.settings.defs))
        expected = _by_history(services, ingestion, measured) if has_history else measured
    except (PricesFileError, LedgerError) as error:
        return replace(found, cost_refusal=str(error))
    made: Estimate = estimate(
        ingestion,
        arrivals_of(ingestion, listed),
        expected,
        prices,
        listed_objects=listed.found.listed,
        is_cut=listed.found.is_cut,
    )
    return replace(found, cost=made, measured=measured)


def _by_history(services: Services, ingestion: Ingestion, measured: Measured) -> Measured:
    if not services.has_ledger:
        return measured
    with services.deployment.ledger.transaction() as connection:
        used = usage.of_last_batches(connection, ingestion.name, HISTORY_BATCHES)
    return measured.by_history(used.count, used.usage)

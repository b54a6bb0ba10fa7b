"""What a batch used and what that cost, as metadata of a run and of a materialization."""

from typing import Any

from ingest_assets.cost.prices import PricesFileError, load_prices, prices_path
from ingest_assets.cost.usage import priced
from ingest_assets.deployment import Deployment
from ingest_assets.ledger import usage


def usage_metadata(deployment: Deployment, batch_id: str) -> dict[str, Any]:
    """Empty for a batch whose use was not noted; a price table that does not hold is said."""
    with deployment.ledger.transaction() as connection:
        used = usage.of_batch(connection, batch_id)
    if used is None:
        return {}
    metadata: dict[str, Any] = {
        "batch_get_requests": used.get_requests + used.table_get_requests,
        "batch_put_requests": used.table_put_requests,
        "batch_read_bytes": used.read_bytes,
        "batch_written_bytes": used.written_bytes,
        "batch_cpu_seconds": round(used.cpu_seconds, 3),
    }
    try:
        prices = load_prices(prices_path(deployment.settings.defs))
    except PricesFileError as error:
        return {**metadata, "batch_cost": str(error)}
    amount = sum(line.amount for line in priced(used, prices))
    return {**metadata, "batch_cost": round(amount, 8), "batch_cost_currency": prices.currency}

"""What was really used: requests made, bytes moved, processor time; and what that costs."""

from dataclasses import dataclass, fields

from ingest_assets.cost.prices import Prices

GIBIBYTE = 1024**3


@dataclass(frozen=True)
class Usage:
    """Requests as S3 and SQS charge them; table_… are those to the table's warehouse.

    `get_requests`: HEAD too. `written_bytes`: of data files, which stay. `cpu_seconds`: of the
    process, its start too.
    """

    list_requests: int = 0
    get_requests: int = 0
    table_get_requests: int = 0
    table_put_requests: int = 0
    queue_requests: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    cpu_seconds: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Priced:
    """One thing that is paid for. `unit` is what `quantity` counts."""

    name: str
    quantity: float
    unit: str
    amount: float


def priced(usage: Usage, prices: Prices) -> tuple[Priced, ...]:
    """What the usage costs, storage for one month; always the same names in the same order."""
    s3 = prices.s3
    lists, puts = usage.list_requests, usage.table_put_requests
    gets = usage.get_requests + usage.table_get_requests
    stored = usage.written_bytes / GIBIBYTE
    hours = usage.cpu_seconds / 3600
    return (
        Priced("listing", lists, "requests", per(lists, s3.list_per_1000)),
        Priced("reading", gets, "requests", per(gets, s3.get_per_1000)),
        Priced("writing", puts, "requests", per(puts, s3.put_per_1000)),
        Priced(
            "queue",
            usage.queue_requests,
            "requests",
            usage.queue_requests / 1e6 * prices.sqs.per_million,
        ),
        Priced("compute", hours, "vCPU hours", hours * prices.compute.vcpu_hour),
        Priced("storage", stored, "GB-months", stored * s3.storage_gb_month),
    )


def per(requests: float, per_1000: float) -> float:
    """The amount for so many requests."""
    return requests / 1000 * per_1000

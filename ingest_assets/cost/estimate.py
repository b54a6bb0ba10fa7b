"""What a month of an ingestion would cost: pure arithmetic over what was found and measured."""

from dataclasses import dataclass


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

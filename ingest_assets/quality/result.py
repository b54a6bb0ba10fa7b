"""What the rules said of one file: bounded, and kept by the ledger beside the file's outcome.

`FileOutcome.detail["quality"]`, and so `FileReport.detail["quality"]`, is `FileQuality.to_json()`:

    {"rejected_rows": 2,
     "results": [
        {"name": "accepted_status",        the check's name, unique in its ingestion
         "kind": "accepted",               the key that names the rule
         "outcome": "failed",              passed | failed | unknown: it could not be evaluated
         "on_fail": "reject_rows",         fail_file | reject_rows | warn
         "severity": "warn",               error | warn
         "said": "2 of 40 rows ...",       plain words; empty where the rule holds
         "rows": 40,                       the rows that the rule was put to
         "failed_rows": 2,                 0 for rules about the whole file
         "row_numbers": [7, 12],           `_source_row` of the first 10 that fail
         "samples": ["status=lost"],       what the first 5 have in the rule's columns
         "measures": {"null_ratio": 0.1}   numbers of the rule's own, to be plotted
        }, ...]}

Parts that are empty are left out of the JSON. `unknown` counts as failed.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SAMPLES = 5
ROW_NUMBERS = 10
SAMPLE_CHARACTERS = 100

RuleOutcome = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule said of one file; the fields are told above."""

    name: str
    kind: str
    outcome: RuleOutcome
    on_fail: str
    severity: str
    said: str = ""
    rows: int = 0
    failed_rows: int = 0
    row_numbers: tuple[int, ...] = ()
    samples: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_passed(self) -> bool:
        """The rule was evaluated, and holds."""
        return self.outcome == "passed"

    @property
    def failed_ratio(self) -> float:
        """The share of the rows that break the rule."""
        return self.failed_rows / self.rows if self.rows else 0.0

    @property
    def refuses_file(self) -> bool:
        """The file stays out of the table for it.

        Also one whose broken rows were to be sorted out, when none could be told from the others.
        """
        if self.outcome == "unknown":
            return self.on_fail in ("fail_file", "reject_rows")
        return self.outcome == "failed" and self.on_fail == "fail_file"

    def to_json(self) -> dict[str, Any]:
        """As it is told above."""
        always = ("name", "kind", "outcome", "on_fail", "severity", "rows")
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value or name in always
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "RuleResult":
        """What `to_json` made."""
        lists = {name: tuple(told.get(name, ())) for name in ("row_numbers", "samples")}
        return cls(**{**told, **lists})


@dataclass(frozen=True)
class FileQuality:
    """What all rules said of one file; `rejected_rows` were kept out of the table by them."""

    results: tuple[RuleResult, ...] = ()
    rejected_rows: int = 0

    @property
    def refusals(self) -> list[RuleResult]:
        """The results for which the file stays out of the table."""
        return [result for result in self.results if result.refuses_file]

    @property
    def is_all_well(self) -> bool:
        """Every rule holds."""
        return all(result.has_passed for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """As it is told above."""
        results = [result.to_json() for result in self.results]
        return {"rejected_rows": self.rejected_rows, "results": results}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "FileQuality":
        """What `to_json` made; nothing at all where no rules were evaluated."""
        results = tuple(RuleResult.from_json(result) for result in told.get("results", ()))
        return cls(results, told.get("rejected_rows", 0))

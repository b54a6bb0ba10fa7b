"""The rules of `quality` as asset checks: one a rule, evaluated for each file."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from ingest_assets.declaration.quality import FILE_RULES, TABLE_RULES, QualityRule
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.reports import FileReport
from ingest_assets.quality.description import described
from ingest_assets.quality.result import FileQuality, RuleResult
from ingest_assets.quality.tally import sentences

_CONSEQUENCES = {
    "fail_file": "A file that breaks it stays out of the table.",
    "reject_rows": "Rows that break it go to {table}__rejected; the others are in the table.",
    "warn": "Rows that break it are in the table all the same.",
}
_SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


def file_rules(ingestion: Ingestion) -> list[QualityRule]:
    """The rules that are about each file."""
    return [rule for rule in ingestion.quality if rule.kind not in TABLE_RULES]


def table_rules(ingestion: Ingestion) -> list[QualityRule]:
    """The rules that are about the table as a whole."""
    return [rule for rule in ingestion.quality if rule.kind in TABLE_RULES]


def rule_description(ingestion: Ingestion, rule: QualityRule) -> str:
    """What the check says of itself in the UI."""
    said = f"Holds if {described(rule)}."
    if rule.kind in TABLE_RULES:
        return said
    return f"{said} {_CONSEQUENCES[rule.action].format(table=ingestion.table.identifier)}"


def rule_results(
    rules: Sequence[QualityRule], file: FileReport
) -> list[tuple[str, dg.AssetCheckResult]]:
    """By check, what each rule says of the file; not known where it was not put to it."""
    if not rules:
        return []
    quality = FileQuality.from_json(file.detail.get("quality", {}))
    found = {result.name: _check_result(result) for result in quality.results}
    unknown = dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Not known, because {_why_unknown(file)}",
    )
    return [(rule.check_name, found.get(rule.check_name, unknown)) for rule in rules]


def _check_result(result: RuleResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.has_passed,
        severity=_SEVERITIES[result.severity],
        description=sentences(result) or None,
        metadata=_metadata(result),
    )


def table_evaluation(
    key: dg.AssetKey, rule: QualityRule, result: RuleResult
) -> dg.AssetCheckEvaluation:
    """What a rule about the whole table says."""
    found = _check_result(result)
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=rule.check_name,
        passed=found.passed,
        severity=found.severity,
        description=found.description,
        metadata=dict(found.metadata or {}),
    )


def _why_unknown(file: FileReport) -> str:
    if file.outcome == "SUCCESS":
        return "the file was read before the rule was declared. Replay it to have it judged."
    if file.outcome == "PARKED":
        return "the file waits for a decision on its schema."
    if file.outcome == "REJECTED":
        return "the file's schema was rejected."
    return f"the file was not read to its end. {file.error}"


def _metadata(result: RuleResult) -> dict[str, Any]:
    """Numbers are plotted by partition in the UI, so they are there too when all is well.

    A rule that could not be evaluated has none: nothing is known of the rows.
    """
    if result.outcome == "unknown":
        return {}
    if result.kind in TABLE_RULES:
        return dict(result.measures)
    metadata: dict[str, Any] = {"rows": result.rows, **result.measures}
    if result.kind not in FILE_RULES:
        metadata |= {
            "failed_rows": result.failed_rows,
            "failed_ratio": round(result.failed_ratio, 6),
        }
    if result.row_numbers:
        metadata["first_failing_rows"] = ", ".join(map(str, result.row_numbers))
    if result.samples:
        metadata["samples"] = "\n".join(result.samples)
    return metadata

"""What Dagster is told about the checks of each file of a batch."""

import re
from collections.abc import Iterable
from typing import Any

import dagster as dg

from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.reports import FileReport
from ingest_assets.orchestration.how_to_decide import how_to_decide
from ingest_assets.orchestration.names import (
    CODE_LOCATION,
    ROWS_PARSED,
    SCHEMA_COMPATIBLE,
    asset_key,
)
from ingest_assets.orchestration.quality_reporting import file_rules, rule_results
from ingest_assets.quality.refusal import QualityError, RejectedByRulesError
from ingest_assets.schema.difference import ChangeKind

_CHANGES_SHOWN = 50
_KEPT_OUT_BY_RULES = (QualityError.__name__, RejectedByRulesError.__name__)
_JSON_PARTS = re.compile(r'("(?:[^"\\]|\\.)*")|([,:])')
_COLUMNS = [
    dg.TableColumn("difference", "string", "what differs"),
    dg.TableColumn("column", "string", "a.b is in a struct, a[] in a list, a{} in a map"),
    dg.TableColumn("before", "string", "in the table"),
    dg.TableColumn("after", "string", "in the file"),
    dg.TableColumn("samples", "string", "up to three values of the file"),
]


def check_evaluations(
    ingestion: Ingestion, files: Iterable[FileReport], location: str = CODE_LOCATION
) -> list[dg.AssetCheckEvaluation]:
    """All checks of every file, in order, whatever became of it.

    `location` is the name of the code location, which the links of the checks lead to.
    """
    key, rules = asset_key(ingestion), file_rules(ingestion)
    evaluations = []
    for file in files:
        if file.outcome == "ROUTED":  # the batch of the other table evaluates it
            continue
        for name, result in (
            (SCHEMA_COMPATIBLE, _schema_compatible(ingestion, file, location)),
            (ROWS_PARSED, _rows_parsed(ingestion, file)),
            *rule_results(rules, file),
        ):
            evaluations.append(
                dg.AssetCheckEvaluation(
                    asset_key=key,
                    check_name=name,
                    partition=partition_key_of(file.key),
                    passed=result.passed,
                    severity=result.severity,
                    description=result.description,
                    metadata=dict(result.metadata or {}),
                )
            )
    return evaluations


def _schema_compatible(
    ingestion: Ingestion, file: FileReport, location: str
) -> dg.AssetCheckResult:
    if file.outcome == "SUCCESS":
        described = f"Written with schema version {file.schema_version}."
        if file.schema_version is None:
            described = "The file has no rows, so it says nothing about the schema."
        return dg.AssetCheckResult(passed=True, description=described)
    if file.outcome in ("PARKED", "REJECTED"):
        changes = file.detail.get("differences", {}).get("changes", [])
        version = file.schema_version or 0
        waits = file.outcome == "PARKED"
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=file.error,
            metadata={
                **(how_to_decide(ingestion.name, version, location) if waits else {}),
                "differences": _change_table(changes, file.detail.get("samples", {})),
                "schema_version": version,
                "source_uri": file.uri,
            },
        )
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Not known, because the file was not read to its end. {file.error}",
    )


def _change_table(
    changes: list[dict[str, Any]], samples: dict[str, list[str]]
) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "difference": str(change["kind"]).replace("_", " "),
                "column": str(change["path"]),
                "before": _before(change),
                "after": _after(change),
                "samples": " · ".join(map(_airy, samples.get(change["path"], ()))),
            }
        )
        for change in changes[:_CHANGES_SHOWN]
    ]
    if len(changes) > _CHANGES_SHOWN:
        more = f"and {len(changes) - _CHANGES_SHOWN} more"
        records.append(
            dg.TableRecord(dict.fromkeys((c.name for c in _COLUMNS), "") | {"column": more})
        )
    return dg.MetadataValue.table(records, dg.TableSchema(columns=_COLUMNS))


def _airy(sample: str) -> str:
    """JSON with spaces between its parts, at which the UI breaks lines; other texts as they are."""
    if not sample.startswith(("{", "[")):
        return sample
    return _JSON_PARTS.sub(lambda part: part[1] or f"{part[2]} ", sample)


def _before(change: dict[str, Any]) -> str:
    """The table's side; whether files must have a column says if its lack is what parks them."""
    if change["kind"] == ChangeKind.MISSING:
        return f"{change['before']}, {'required' if change['is_breaking'] else 'optional'}"
    return str(change.get("before") or "not in the table")


def _after(change: dict[str, Any]) -> str:
    if change.get("renamed_to"):
        return f"perhaps {change['renamed_to']}"
    return str(change.get("after") or "not in the file")


def _rows_parsed(ingestion: Ingestion, file: FileReport) -> dg.AssetCheckResult:
    if file.outcome == "PARKED":
        return dg.AssetCheckResult(
            passed=True, description="The file can be read; it waits for a decision on its schema."
        )
    if file.outcome == "REJECTED":
        return dg.AssetCheckResult(
            passed=True, description="The file can be read; its schema was rejected."
        )
    if file.error_type in _KEPT_OUT_BY_RULES:
        return dg.AssetCheckResult(
            passed=True, description="The file can be read; its rules of quality keep it out."
        )
    if file.outcome != "SUCCESS":
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.ERROR, description=file.error
        )
    by_rules = file.detail.get("quality", {}).get("rejected_rows", 0)
    unread = file.rejected - by_rules
    counts = {"rows": file.rows, "rescued": file.rescued, "rejected": file.rejected}
    if not unread:
        return dg.AssetCheckResult(passed=True, metadata=counts)
    samples = file.detail.get("rejected_samples", [])
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{unread} of {file.rows + file.rejected} rows could not be read and are in "
            f"{ingestion.table.identifier}__rejected; the others are in the table."
        ),
        metadata={**counts, "first_rejected": dg.MetadataValue.md(_bullets(samples))},
    )


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)

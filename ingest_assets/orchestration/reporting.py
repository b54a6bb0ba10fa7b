"""What Dagster is told about the files of a batch: materializations and check evaluations."""

import re
from collections.abc import Iterable, Mapping
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
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import ChangeKind
from ingest_assets.schema.types import format_type

_CHANGES_SHOWN = 50
_JSON_PARTS = re.compile(r'("(?:[^"\\]|\\.)*")|([,:])')
_COLUMNS = [
    dg.TableColumn("difference", "string", "what differs"),
    dg.TableColumn("column", "string", "a.b is in a struct, a[] in a list, a{} in a map"),
    dg.TableColumn("before", "string", "in the table"),
    dg.TableColumn("after", "string", "in the file"),
    dg.TableColumn("samples", "string", "up to three values of the file"),
]


def materializations(
    files: Iterable[FileReport], columns: Columns = ()
) -> list[tuple[str, Mapping[str, Any]]]:
    """Partition key and metadata of every file whose rows are in the table.

    The last one has the table's `columns` too: the UI shows those of the newest materialization.
    """
    found = [
        (partition_key_of(file.key), _metadata(file)) for file in files if file.outcome == "SUCCESS"
    ]
    if found and columns:
        found[-1][1]["dagster/column_schema"] = column_schema(columns)
    return list(found)


def column_schema(columns: Columns) -> dg.TableSchema:
    """The columns as the UI lists them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                format_type(column.type),
                column.description or column.source_name,
                tags={"required": ""} if column.is_required else {},
            )
            for column in columns
        ]
    )


def _metadata(file: FileReport) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": file.rows,
        "rows": file.rows,
        "rescued": file.rescued,
        "rejected": file.rejected,
        "bytes": file.bytes,
        "seconds": round(file.seconds, 3),
        "etag": file.etag,
        "source_uri": file.uri,
    }
    if file.schema_version is not None:
        metadata["schema_version"] = file.schema_version
    if file.snapshot_id is not None:
        # As text: the UI's numbers lose digits beyond 2**53.
        metadata["snapshot_id"] = str(file.snapshot_id)
    if detected := file.detail.get("detected"):
        metadata["detected"] = detected
    if ignored := file.detail.get("ignored"):
        metadata["ignored_columns"] = ignored
    return metadata


def observations(
    ingestion: Ingestion, files: Iterable[FileReport], location: str = CODE_LOCATION
) -> list[tuple[str, Mapping[str, Any]]]:
    """Partition key and metadata of every file whose rows are not in the table: why not."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for file in files:
        if file.outcome == "SUCCESS":
            continue
        metadata: dict[str, Any] = {
            "status": file.outcome,
            "error": file.error or "",
            "error_type": file.error_type or "",
            "attempts": file.attempts,
            "etag": file.etag,
            "source_uri": file.uri,
        }
        if file.outcome == "PARKED":
            metadata |= how_to_decide(ingestion.name, file.schema_version or 0, location)
        if file.next_attempt_at is not None:
            metadata["tried_again_after"] = dg.MetadataValue.timestamp(file.next_attempt_at)
        found.append((partition_key_of(file.key), metadata))
    return found


def check_evaluations(
    ingestion: Ingestion, files: Iterable[FileReport], location: str = CODE_LOCATION
) -> list[dg.AssetCheckEvaluation]:
    """Both checks of every file, in order, whatever became of it.

    `location` is the name of the code location, which the links of the checks lead to.
    """
    key = asset_key(ingestion)
    evaluations = []
    for file in files:
        if file.outcome == "ROUTED":  # the batch of the other table evaluates it
            continue
        for name, result in (
            (SCHEMA_COMPATIBLE, _schema_compatible(ingestion, file, location)),
            (ROWS_PARSED, _rows_parsed(ingestion, file)),
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
    if file.outcome == "PARKED":
        changes = file.detail.get("differences", {}).get("changes", [])
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=file.error,
            metadata={
                **how_to_decide(ingestion.name, file.schema_version or 0, location),
                "differences": _change_table(changes, file.detail.get("samples", {})),
                "schema_version": file.schema_version or 0,
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
    if file.outcome != "SUCCESS":
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.ERROR, description=file.error
        )
    counts = {"rows": file.rows, "rescued": file.rescued, "rejected": file.rejected}
    if not file.rejected:
        return dg.AssetCheckResult(passed=True, metadata=counts)
    samples = file.detail.get("rejected_samples", [])
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{file.rejected} of {file.rows + file.rejected} rows could not be read and are in "
            f"{ingestion.table.identifier}__rejected; the others are in the table."
        ),
        metadata={**counts, "first_rejected": dg.MetadataValue.md(_bullets(samples))},
    )


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def failure_of(ingestion: Ingestion, files: Iterable[FileReport]) -> str | None:
    """What a run that met bad files says after it has materialized the good ones; None for none."""
    bad = [file for file in files if file.outcome != "SUCCESS"]
    if not bad:
        return None
    table = ingestion.table.identifier
    shown = first_lines(f"{file.outcome} {file.key}: {file.error}" for file in bad)
    return f"{len(bad)} files of {ingestion.name} are not in {table}:\n{shown}"


def first_lines(lines: Iterable[str]) -> str:
    """Twenty of the lines, and how many more there are."""
    said = [f"  {line}" for line in lines]
    more = [f"  and {len(said) - 20} more"] if len(said) > 20 else []
    return "\n".join([*said[:20], *more])

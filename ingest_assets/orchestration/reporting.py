"""What Dagster is told about the files of a batch: materializations and check evaluations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from ingest_assets.files.partition_key import partition_key_of
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.reports import FileReport
from ingest_assets.ledger.volume import DayVolume
from ingest_assets.orchestration.how_to_decide import how_to_decide
from ingest_assets.orchestration.names import CODE_LOCATION
from ingest_assets.orchestration.volume_chart import volume_chart
from ingest_assets.schema.column import Columns
from ingest_assets.schema.types import format_type


def materializations(
    files: Iterable[FileReport], columns: Columns = (), days: Sequence[DayVolume] = ()
) -> list[tuple[str, Mapping[str, Any]]]:
    """Partition key and metadata of every file whose rows are in the table.

    The last one has the table's `columns` and what was done in the last `days` too: the UI shows
    those of the newest materialization.
    """
    found = [
        (partition_key_of(file.key), _metadata(file)) for file in files if file.outcome == "SUCCESS"
    ]
    if found and columns:
        found[-1][1]["dagster/column_schema"] = column_schema(columns)
    if found and days:
        found[-1][1]["volume"] = volume_chart(days)
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
    for name in ("records", "filtered", "unused_fields"):
        if name in file.detail:
            metadata[name] = file.detail[name]
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

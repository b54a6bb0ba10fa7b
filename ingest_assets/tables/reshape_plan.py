"""What a change of a table's schema would do, said before it is done."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyiceberg.table import Table

from ingest_assets.tables.ddl import ddl_of
from ingest_assets.tables.filling import filling
from ingest_assets.tables.operations import (
    AddColumn,
    Drop,
    Fill,
    Operation,
    Promote,
    Rename,
    Retype,
    dotted,
    path_of,
)
from ingest_assets.tables.reshape import live_files
from ingest_assets.tables.reshaping import FillAt, reshaping

REWRITE_BYTES_PER_SECOND = 25_000_000
"""Parquet bytes (zstd) of the old data files that are read and written anew in a second."""
CONVERTED_VALUES_PER_SECOND = 400_000
"""Structs to their JSON; numbers are faster, and integers, texts and moments ten times as fast.

Both measured by `python -m benchmarks.rewriting` (benchmarks/RESULTS.md), one thread, on disk.
"""
COMMIT_SECONDS = 1


@dataclass(frozen=True)
class ReshapePlan:
    """What would be done, and to how much; nothing of it is done yet.

    Values are not looked at: whether all of them convert, the change itself finds out, before it
    changes anything.
    """

    ddl: tuple[str, ...]
    readers_see: tuple[str, ...]
    rewrites_data: bool
    data_files: int
    rows: int
    size_bytes: int
    estimated_seconds: int
    estimate: str
    undo_snapshot_id: int | None
    undo: str


def plan_reshape(table: Table, operations: Sequence[Operation]) -> ReshapePlan:
    """The plan for the table as it was loaded.

    Raises:
        ReshapeRefusedError: an operation cannot be made; the message says what can.
        CatalogError: the warehouse is out of reach.
    """
    identifier = ".".join(table.name())
    shape = reshaping(table, tuple(operations))
    for step in shape.steps:
        if isinstance(step, FillAt):
            filling(step.fill, step.schema).close()
    files = [task.file for task in live_files(table)] if shape.converts_rows else []
    size_bytes = sum(file.file_size_in_bytes for file in files)
    rows = sum(file.record_count for file in files)
    values = rows * sum(isinstance(operation, Retype) for operation in operations)
    filled = {operation.column for operation in operations if isinstance(operation, Fill)}
    statements: list[str] = []
    for operation, schema in zip(operations, shape.schemas, strict=True):
        statements += ddl_of(identifier, operation, schema)
    return ReshapePlan(
        tuple(statements),
        tuple(_seen(operation, filled) for operation in operations),
        bool(files),
        len(files),
        rows,
        size_bytes,
        COMMIT_SECONDS
        + round(size_bytes / REWRITE_BYTES_PER_SECOND + values / CONVERTED_VALUES_PER_SECOND),
        _estimate(size_bytes, values)
        if files
        else "No data is rewritten: one commit, about a second.",
        table.metadata.current_snapshot_id,
        _undo(table, operations),
    )


def _estimate(size_bytes: int, values: int) -> str:
    converted = f"{values} values to convert at {CONVERTED_VALUES_PER_SECOND} a second, "
    return (
        f"{size_bytes / 1e6:.1f} MB of Parquet at {REWRITE_BYTES_PER_SECOND / 1e6:.0f} MB/s, "
        f"{converted if values else ''}as measured on a machine of two cores with its warehouse on "
        "disk, and a commit of a second. A commit of another writer meanwhile makes all of it "
        "begin anew."
    )


def _seen(operation: Operation, filled: Collection[str]) -> str:
    name = dotted(path_of(operation))
    match operation:
        case AddColumn() if name in filled:
            return f"{name} is new, in one commit with its values."
        case AddColumn():
            return f"{name} is new and null in all rows there are."
        case Promote():
            return f"{name} holds what it held, in a wider type; queries go on."
        case Rename(new_name=new_name):
            return (
                f"{name} is called {new_name}, with its values. Queries, and declarations of "
                "partitions or order, that say the old name fail until they say the new one."
            )
        case Drop():
            return f"{name} is gone; queries that name it fail. Older snapshots still have it."
        case Retype():
            return (
                f"{name} has another type and its values converted, in all rows at one moment; "
                "one value that does not convert exactly stops the whole change."
            )
        case Fill():
            return f"{name} has a value in those rows that are there now and in which it is null."


def _undo(table: Table, operations: Sequence[Operation]) -> str:
    snapshot_id = table.metadata.current_snapshot_id
    if snapshot_id is None:
        return "The table has no snapshot to go back to; its schema is changed back by hand."
    text = (
        f"A rollback to snapshot {snapshot_id} brings back the rows of before, and leaves what "
        "was committed after it out; Iceberg does not roll back the schema with it."
    )
    added = {path_of(operation) for operation in operations if isinstance(operation, AddColumn)}
    for operation in operations:
        name = dotted(path_of(operation))
        match operation:
            case Retype():
                text += (
                    f" {name} then reads as null, because it is a new field: materialize the "
                    "partitions of those rows anew, or read the old values with time travel "
                    f"(VERSION AS OF {snapshot_id}), which has the old schema."
                )
            case Drop():
                text += (
                    f" {name} stays away; until that snapshot expires, time travel still reads it."
                )
            case Rename(new_name=new_name):
                text += f" {name} keeps the name {new_name}: rename it back."
            case AddColumn():
                text += f" {name} stays, and is null in those rows: drop it."
            case Promote():
                text += f" {name} keeps the wider type, which holds what it held."
            case Fill() if path_of(operation) not in added:
                text += f" {name} is null again where it was."
    return text

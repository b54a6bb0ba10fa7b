"""All live rows of a table as the operations leave them, in new data files."""

import contextlib
from collections.abc import Iterable

import pyarrow as pa
from pyiceberg.table import FileScanTask, Table

from ingest_assets.decision_errors import ReshapeRefusedError, ValuesDoNotConvertError
from ingest_assets.errors import FileContentError
from ingest_assets.schema.calendar import is_in_calendar
from ingest_assets.schema.conversion import Misfits
from ingest_assets.tables.catalog_errors import reachable
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.filling import Filling, filling
from ingest_assets.tables.live_rows import live_rows
from ingest_assets.tables.operations import dotted
from ingest_assets.tables.reshaping import FillAt, Reshaping
from ingest_assets.tables.restructuring import Restructuring

_BATCH_BYTES = 64 * 1024**2
"""Arrow bytes that go through the steps at once; as JSON they are a few times as many."""


def rewrite(
    table: Table, tasks: Iterable[FileScanTask], reshaping: Reshaping, writer: DataFileWriter
) -> int:
    """The rows of the data files are with `writer`, each through all steps; how many they are.

    Reads all rows even when some do not convert, to tell how many.

    Raises:
        ValuesDoNotConvertError: some do not; what was written is to be discarded.
        ReshapeRefusedError: an expression fails for some row, or a row can be of no data file.
        CatalogError: the warehouse is out of reach; `writer.paths` says what is left there.
    """
    count = 0
    with contextlib.ExitStack() as stack, reachable(".".join(table.name())):
        steps: list[Restructuring | Filling] = []
        for step in reshaping.steps:
            if isinstance(step, FillAt):
                filler = filling(step.fill, step.schema)
                stack.callback(filler.close)
                steps.append(filler)
            else:
                steps.append(Restructuring(step.before, step.after, step.replaced))
        for task in tasks:
            for rows in live_rows(table, task, reshaping.before):
                count += rows.num_rows
                few = max(1, rows.num_rows * _BATCH_BYTES // max(1, rows.nbytes))
                for batch in rows.to_batches(max_chunksize=few):
                    _pass_through(batch, steps, writer)
        _check_misfits(steps)
    return count


def _pass_through(
    batch: pa.RecordBatch, steps: list[Restructuring | Filling], writer: DataFileWriter
) -> None:
    for column, name in zip(batch.columns, batch.schema.names, strict=True):
        if not is_in_calendar(column):
            raise ReshapeRefusedError(
                f"{name} holds a moment outside of the years 1 to 9999, which cannot be written "
                "anew. Nothing was changed. Correct it with the engine that wrote it.",
                name,
            )
    for step in steps:
        batch = step.apply(batch)
    if any(_misfits(steps)):
        return
    try:
        writer.write(pa.Table.from_batches([batch]))
    except FileContentError as error:
        raise ReshapeRefusedError(f"{error} Nothing was changed.", "") from error


def _misfits(steps: list[Restructuring | Filling]) -> list[tuple[str, Misfits]]:
    found = []
    for step in steps:
        if isinstance(step, Filling):
            found.append((step.fill.column, step.misfits))
        else:
            found += [(dotted(path), misfits) for path, misfits in step.misfits.items()]
    return [(column, misfits) for column, misfits in found if misfits.count]


def _check_misfits(steps: list[Restructuring | Filling]) -> None:
    for column, misfits in _misfits(steps):
        values = "value does" if misfits.count == 1 else "values do"
        raise ValuesDoNotConvertError(
            f"{misfits.count} {values} not convert to the type of {column}, {misfits.example!r} "
            "for one. Nothing was changed. Choose a type that holds them, string for one, or "
            "correct the rows first.",
            column,
            misfits.count,
            misfits.example,
        )

"""The rows of many data files in one order, in bounded memory.

Runs of `RUN_BYTES` are sorted and spilled to a folder as Arrow, uncompressed and read by memory
map. Of all rows only the sort keys are in memory; each block of the output takes one range of each
run.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from pyiceberg.table.metadata import TableMetadata

from ingest_assets.tables.arrangement import is_sorted, sort_indices, sort_keys

RUN_BYTES = 64 * 1024**2
BLOCK_ROWS = 65_536


def in_table_order(
    tables: Iterable[pa.Table], metadata: TableMetadata, spool: Path
) -> Iterator[pa.Table]:
    """All rows in the table's sort order, those of equal keys as they came; else as they are.

    The folder is made if it is needed, and left as it was.
    """
    if not is_sorted(metadata):
        yield from tables
        return
    spool.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=spool, prefix="sort-") as folder:
        paths: list[Path] = []
        keys: list[pa.Table] = []
        for rows in _gathered(tables):
            of_run = sort_keys(rows, metadata)
            order = sort_indices(of_run)
            paths.append(Path(folder) / f"{len(paths)}.arrow")
            _spill(rows.take(order), paths[-1])
            keys.append(of_run.take(order).combine_chunks())
        if keys:
            yield from _merged(paths, keys)


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    size = 0
    for rows in tables:
        pending.append(rows)
        size += rows.nbytes
        if size >= RUN_BYTES:
            yield pa.concat_tables(pending).combine_chunks()
            pending, size = [], 0
    if size or pending:
        yield pa.concat_tables(pending).combine_chunks()


def _spill(rows: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=BLOCK_ROWS)


def _merged(paths: list[Path], keys: list[pa.Table]) -> Iterator[pa.Table]:
    starts = np.cumsum([0, *(part.num_rows for part in keys)])
    order = sort_indices(pa.concat_tables(keys).combine_chunks()).to_numpy()
    keys.clear()
    runs = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in paths]
    for first in range(0, len(order), BLOCK_ROWS):
        yield _block(order[first : first + BLOCK_ROWS].astype(np.int64), runs, starts)


def _block(wanted: np.ndarray, runs: list[pa.Table], starts: np.ndarray) -> pa.Table:
    """These rows of the runs, numbered from the first run's first row, in this order."""
    run_of = np.searchsorted(starts, wanted, side="right") - 1
    pieces, places, length = [], np.empty(len(wanted), np.int64), 0
    for run in np.unique(run_of):
        mine = run_of == run
        positions = wanted[mine] - starts[run]
        begin, end = int(positions.min()), int(positions.max()) + 1
        pieces.append(runs[run].slice(begin, end - begin))
        places[mine] = positions - begin + length
        length += end - begin
    return pa.concat_tables(pieces).combine_chunks().take(pa.array(places))

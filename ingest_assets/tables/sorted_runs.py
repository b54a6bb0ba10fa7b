"""The rows of many data files in one order, in bounded memory.

Runs of `RUN_BYTES` are sorted and spilled to a folder as Arrow, uncompressed and read by memory
map. Of all rows only the sort keys are in memory; each block of the output takes one range of each
run.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
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
    lengths = [part.num_rows for part in keys]
    starts = pa.array(accumulate([0, *lengths[:-1]]), pa.int64())
    numbers = [pa.repeat(pa.scalar(run, pa.int32()), n) for run, n in enumerate(lengths)]
    run_of = pa.concat_arrays(numbers)
    order = sort_indices(pa.concat_tables(keys).combine_chunks()).cast(pa.int64())
    keys.clear()
    runs = [pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in paths]
    for first in range(0, len(order), BLOCK_ROWS):
        rows = order.slice(first, BLOCK_ROWS)
        chosen = run_of.take(rows)
        yield _block(chosen, pc.subtract(rows, starts.take(chosen)), runs)


def _block(chosen: pa.Array, positions: pa.Array, runs: list[pa.Table]) -> pa.Table:
    """The rows at these positions of the chosen runs, in this order."""
    pieces, length = [], 0
    places = positions
    for run in chosen.unique().to_pylist():
        is_mine = pc.equal(chosen, run)
        ends = pc.min_max(positions.filter(is_mine)).as_py()
        piece = runs[run].slice(ends["min"], ends["max"] + 1 - ends["min"])
        places = pc.if_else(is_mine, pc.add(positions, length - ends["min"]), places)
        pieces.append(piece)
        length += piece.num_rows
    return pa.concat_tables(pieces).combine_chunks().take(places)

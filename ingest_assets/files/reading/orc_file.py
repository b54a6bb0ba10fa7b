"""An open ORC file, or the reason why it is none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import orc

from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.typed_file import (
    BATCH_BYTES,
    TypedFile,
    compression_of,
    opened_as,
)

_MAGIC = b"ORC"
_BATCH_ROWS = 16_384


@contextmanager
def open_orc(content: Content) -> Iterator[TypedFile | None]:
    """As `typed_file.Opener`."""
    with opened_as(content, "orc", "ORC", _MAGIC) as stream:
        yield None if stream is None else _typed(stream, content)


def _typed(stream: BinaryIO, content: Content) -> TypedFile:
    file = orc.ORCFile(pa.PythonFile(stream, mode="r"))
    fitting = max(1, file.nrows) * BATCH_BYTES // max(1, file.content_length)

    def batches(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        # A stripe is hundreds of megabytes in memory; only a dataset reads it piece by piece.
        fragment = ds.OrcFileFormat().make_fragment(pa.PythonFile(stream, mode="r"))
        scanner = fragment.scanner(
            columns=None if names is None else list(names),
            batch_size=max(1, min(_BATCH_ROWS, fitting)),
            use_threads=False,
            batch_readahead=0,
            fragment_readahead=0,
        )
        yield from scanner.to_batches()

    detected = {
        "format": "orc",
        "compression": compression_of(content, file.compression.lower()),
        "stripes": file.nstripes,
    }
    return TypedFile(file.schema, file.nrows, detected, batches)

"""An open Parquet file, or the reason why it is none."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ingest_assets.files.reading.compression import codec_of
from ingest_assets.files.reading.foreign import refuse_encrypted
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.typed_file import (
    BATCH_BYTES,
    DamagedError,
    TypedFile,
    opened_as,
)

_MAGIC = b"PAR1"
_SMALLEST_BYTES = 12
_MAX_BATCH_ROWS = 131_072
_READING: dict[str, Any] = {
    # A row group may be the whole file: its columns come piece by piece, nothing ahead of its turn.
    "pre_buffer": False,
    "buffer_size": 64 * 1024,
    "page_checksum_verification": True,
    # Spark's old timestamps: in nanoseconds, the default, 9999-12-31 would be another day.
    "coerce_int96_timestamp_unit": "us",
}


@contextmanager
def open_parquet(content: Content) -> Iterator[TypedFile | None]:
    """As `typed_file.Opener`."""
    with opened_as(content, "parquet", "Parquet", _MAGIC) as stream:
        if stream is None:
            yield None
            return
        _refuse_without_footer(stream, content.name)
        with pq.ParquetFile(pa.PythonFile(stream, mode="r"), **_READING) as file:
            yield _typed(file, content)


def _typed(file: pq.ParquetFile, content: Content) -> TypedFile:
    metadata = file.metadata
    groups = metadata.num_row_groups
    size_bytes = sum(metadata.row_group(index).total_byte_size for index in range(groups))
    fitting = max(1, metadata.num_rows) * BATCH_BYTES // max(1, size_bytes)
    batch_rows = max(1, min(_MAX_BATCH_ROWS, fitting))

    def batches(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        columns = None if names is None else list(names)
        yield from file.iter_batches(batch_size=batch_rows, columns=columns, use_threads=False)

    detected = {"format": "parquet", "compression": codec_of(content), "row_groups": groups}
    return TypedFile(file.schema_arrow, metadata.num_rows, detected, batches)


def _refuse_without_footer(stream: BinaryIO, name: str) -> None:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - len(_MAGIC)))
    tail = stream.read()
    stream.seek(0)
    if tail == b"PARE":
        refuse_encrypted(tail, name)
    if tail != _MAGIC or size < _SMALLEST_BYTES:
        raise DamagedError("its footer is missing, so it was cut short")

"""An open Avro object container file, or the reason why it is none."""

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException

from ingest_assets.files.reading.avro_container import (
    MAGIC,
    Block,
    blocks,
    count_rows,
    read_header,
)
from ingest_assets.files.reading.avro_logical import AvroType, without_logical_types
from ingest_assets.files.reading.avro_types import avro_type
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.typed_file import (
    DamagedError,
    TypedFile,
    compression_of,
    opened_as,
)

_DECODED_BYTES = 2 * 1024**2
"""About so much, unpacked, is decoded at once: as Python has them, records are many times that."""


@contextmanager
def open_avro(content: Content) -> Iterator[TypedFile | None]:
    """As `typed_file.Opener`.

    Raises:
        UnsupportedTypeError: no table can hold one of its types.
    """
    with opened_as(content, "avro", "Avro", MAGIC) as stream:
        yield None if stream is None else _typed(stream, content)


def _typed(stream: BinaryIO, content: Content) -> TypedFile:
    header = read_header(stream)
    try:
        plain = without_logical_types(header.schema)
        type_ = avro_type(plain)
        decoder = _Decoder(plain, type_)
    except (SchemaParseException, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedError(f"its schema is none of Avro's ({error!r})") from error

    def batches(names: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        for part in _parts(blocks(stream, header)):
            batch = pa.RecordBatch.from_struct_array(decoder.rows(part))
            yield batch if names is None else batch.select(list(names))

    detected = {"format": "avro", "compression": compression_of(content, header.codec)}
    return TypedFile(pa.schema(list(type_.arrow)), count_rows(stream, header), detected, batches)


def _parts(found: Iterator[Block]) -> Iterator[list[Block]]:
    part: list[Block] = []
    size_bytes = 0
    for block in found:
        part.append(block)
        size_bytes += len(block.data)
        if size_bytes >= _DECODED_BYTES:
            yield part
            part, size_bytes = [], 0
    if part:
        yield part


class _Decoder:
    """Decodes the records of blocks by fastavro, which takes them as one array of records."""

    def __init__(self, schema: Any, type_: AvroType) -> None:
        self._type = type_
        self._schema: Any = fastavro.parse_schema({"type": "array", "items": schema})

    def rows(self, part: Sequence[Block]) -> pa.StructArray:
        """The records, one struct each.

        Raises:
            DamagedError: they are not as the schema says.
        """
        if any(block.row_count > len(block.data) for block in part):
            raise DamagedError("a block says that it has more records than bytes")
        count = sum(block.row_count for block in part)
        array = io.BytesIO()
        if count:
            fastavro.schemaless_writer(array, "long", count)
        array.write(b"".join([*(block.data for block in part), b"\x00"]))
        array.seek(0)
        try:
            records: Any = fastavro.schemaless_reader(
                array,
                self._schema,
                None,
                return_named_type=self._type.has_named_branches,
                return_named_type_override=self._type.has_named_branches,
            )
            if self._type.convert is not None:
                records = [self._type.convert(record) for record in records]
            rows = pa.array(records, self._type.arrow)
        except (
            ArithmeticError,
            EOFError,
            LookupError,
            MemoryError,
            TypeError,
            ValueError,
            struct.error,
            pa.ArrowException,
        ) as error:
            raise DamagedError(f"its records are not as its schema says ({error!r})") from error
        if len(rows) != count or array.read(1):
            raise DamagedError(f"blocks do not end after the {count} records that they say")
        return rows

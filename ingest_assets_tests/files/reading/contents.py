"""Source files made of bytes, and what becomes of them."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from ingest_assets.files.reading.chunk import REJECTED_SCHEMA, rows_schema
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import Chunk, FormatType, Stumbled, reader_for
from ingest_assets.schema.column import Columns
from ingest_assets.schema.policy import SchemaRules, decide

NAME = "landed/orders.data"


def content(data: bytes, name: str = NAME) -> Content:
    return Content(name, len(data), lambda: io.BytesIO(data))


def json_lines(records: Iterable[Any]) -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def avro(schema: Any, records: Iterable[Any], codec: str = "null", **options: Any) -> bytes:
    """An object container file; `schema` is that of a record, or its fields by name."""
    if "type" not in schema:
        fields = [{"name": name, "type": type_} for name, type_ in schema.items()]
        schema = {"type": "record", "name": "Row", "fields": fields}
    sink = io.BytesIO()
    fastavro.writer(sink, fastavro.parse_schema(schema), records, codec=codec, **options)
    return sink.getvalue()


def orc_file(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table, sink, **options)
    return sink.getvalue()


def together(chunks: Iterable[Chunk], columns: Columns) -> Chunk:
    """All chunks as one."""
    chunks = list(chunks)
    rows = [rows_schema(columns).empty_table(), *(chunk.rows for chunk in chunks)]
    rejected = [REJECTED_SCHEMA.empty_table(), *(chunk.rejected for chunk in chunks)]
    return Chunk(pa.concat_tables(rows), pa.concat_tables(rejected))


def columns_of(
    format_type: FormatType,
    data: bytes,
    table: Columns | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = NAME,
) -> Columns:
    """The columns that the file would be written with."""
    observed = reader_for(format_type, options or {}).observe(content(data, name), table)
    return decide(table, observed, SchemaRules()).target


def carefully(
    format_type: FormatType,
    data: bytes,
    table: Columns | None = None,
    options: Mapping[str, Any] | None = None,
    name: str = NAME,
) -> Chunk:
    """The file as the careful path reads it, into the table or into one of its own."""
    columns = columns_of(format_type, data, table, options, name)
    reader = reader_for(format_type, options or {})
    return together(reader.read_careful(content(data, name), columns, ignored=frozenset()), columns)


def fast(
    format_type: FormatType,
    data: bytes,
    columns: Columns,
    options: Mapping[str, Any] | None = None,
    name: str = NAME,
) -> Chunk | None:
    """The file as the fast path reads it; None when it stumbles."""
    reader = reader_for(format_type, options or {})
    try:
        return together(reader.read_fast(content(data, name), columns), columns)
    except Stumbled:
        return None

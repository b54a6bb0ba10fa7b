"""The live rows of one data file, streamed, exactly as they were written.

PyIceberg 0.12.0 reads a null list of structs, and a null map to structs, as an empty one
(`ArrowProjectionVisitor.list` and `.map` build the array anew from its offsets alone). Rows that
are only moved to another data file must not change, so a Parquet file whose nested fields are
called as the table's are is read here. Drop this when PyIceberg keeps the nulls.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, _read_all_delete_files
from pyiceberg.manifest import FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, Table

from ingest_assets.tables.conforming import fitted
from ingest_assets.tables.iceberg_types import arrow_file_schema

_ROWS_PER_BATCH = 65_536
_FIELD_ID = b"PARQUET:field_id"


def live_rows(table: Table, task: FileScanTask, schema: Schema) -> Iterator[pa.Table]:
    """The rows of the file without those that position deletes name, a few megabytes at a time.

    They have all columns of `schema`; those that the file lacks are null.
    """
    wanted = arrow_file_schema(schema)
    deletes = _read_all_delete_files(table.io, [task])
    if task.file.file_format == FileFormat.PARQUET:
        with table.io.new_input(task.file.file_path).open() as source:
            file = pq.ParquetFile(source)
            columns = _columns_by_id(file.schema_arrow, wanted)
            if columns is not None:
                positions = deletes.get(task.file.file_path, [])  # others' may be there too
                gone = [chunk for deleted in positions for chunk in deleted.chunks]
                for rows in _read(file, columns, pa.chunked_array(gone, pa.int64())):
                    yield fitted(rows, wanted)
                return
    # ArrowScan.to_record_batches keeps all batches of a file in memory; what it calls streams
    # (read in PyIceberg 0.12.0).
    scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    for batch in scan._record_batches_from_scan_tasks_and_deletes([task], deletes):
        yield fitted(pa.Table.from_batches([batch]), wanted)


def _read(
    file: pq.ParquetFile, columns: dict[str, str], gone: pa.ChunkedArray
) -> Iterator[pa.Table]:
    start = 0
    for batch in file.iter_batches(_ROWS_PER_BATCH, columns=list(columns)):
        rows = pa.Table.from_batches([batch])
        numbers = pa.array(range(start, start + rows.num_rows), pa.int64())
        start += rows.num_rows
        if len(gone):
            rows = rows.filter(pc.invert(pc.is_in(numbers, value_set=gone)))
        yield rows.rename_columns([columns[name] for name in rows.column_names])


def _columns_by_id(found: pa.Schema, wanted: pa.Schema) -> dict[str, str] | None:
    """The file's name of each wanted column and the table's; None where only ids tell the fields.

    That is so for files without field ids, and where a nested field was renamed, or dropped and
    another one added in its name.
    """
    by_id = {_field_id(field): field for field in wanted}
    columns = {}
    for field in found:
        if _field_id(field) is None:
            return None
        match = by_id.get(_field_id(field))
        if match is None:
            continue
        if "." in field.name or not _is_alike(field.type, match.type):
            return None
        columns[field.name] = match.name
    return columns


def _is_alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Fields inside of `found` have the same names and ids as in `wanted`, as far as both have."""
    if pa.types.is_struct(found) and pa.types.is_struct(wanted):
        ids = {_field_id(field) for field in wanted}
        names = {field.name: field for field in wanted}
        return all(
            _is_twin(field, names[field.name])
            if field.name in names
            else _field_id(field) not in ids
            for field in found
        )
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return _is_alike(found.value_type, wanted.value_type)
    if pa.types.is_map(found) and pa.types.is_map(wanted):
        return _is_alike(found.key_type, wanted.key_type) and _is_alike(
            found.item_type, wanted.item_type
        )
    return not pa.types.is_nested(found) and not pa.types.is_nested(wanted)


def _is_twin(found: pa.Field, wanted: pa.Field) -> bool:
    is_same = _field_id(found) is not None and _field_id(found) == _field_id(wanted)
    return is_same and _is_alike(found.type, wanted.type)


def _field_id(field: pa.Field) -> bytes | None:
    return (field.metadata or {}).get(_FIELD_ID)

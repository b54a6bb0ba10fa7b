"""How fast a change of type rewrites a table: what `REWRITE_BYTES_PER_SECOND` is derived from."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog

from ingest_assets.schema.column import Column
from ingest_assets.tables.commit import Prepared, commit
from ingest_assets.tables.data_files import DataFileWriter
from ingest_assets.tables.layout import TableLayout
from ingest_assets.tables.lineage import Origin, with_lineage
from ingest_assets.tables.operations import Expression, Fill, Operation, Retype
from ingest_assets.tables.owner import Owner
from ingest_assets.tables.reshape import reshape
from ingest_assets.tables.reshape_plan import plan_reshape
from ingest_assets.tables.target import open_target

_OWNER = Owner("orders", "benchmark")
_IDENTIFIER = "raw.orders"
_ROWS_PER_FILE = 250_000
_PAIR = pa.struct([("sku", pa.int64()), ("price", pa.float64())])
_CHANGES: dict[str, tuple[Operation, ...]] = {
    "long to string": (Retype(("customer_id",), pa.string()),),
    "string to long": (Retype(("code",), pa.int64()),),
    "double to string": (Retype(("amount",), pa.string()),),
    "timestamptz to string": (Retype(("ordered_at",), pa.string()),),
    "struct to string": (Retype(("item",), pa.string()),),
    "fill by an expression": (Fill("region", Expression("upper(status)")),),
}


def rewriting(row_count: int = 2_000_000) -> None:
    """Each change on a table of its own is timed and printed."""
    for name, operations in _CHANGES.items():
        with tempfile.TemporaryDirectory() as folder:
            catalog = _filled(Path(folder), row_count)
            before = plan_reshape(catalog.load_table(_IDENTIFIER), operations)
            pool = pa.default_memory_pool()
            start, cpu = time.perf_counter(), time.process_time()
            reshape(catalog, _IDENTIFIER, _OWNER, operations, "benchmark", lambda: True)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(
                f"{name:22} {before.size_bytes / 1e6:6.1f} MB {before.rows} rows "
                f"{seconds:5.1f} s ({cpu:5.1f} CPU): "
                f"{before.size_bytes / seconds / 1e6:5.1f} MB/s, "
                f"{before.rows / seconds / 1e3:5.0f} thousand rows/s, "
                f"Arrow at most {pool.max_memory() / 1e6:.0f} MB"
            )
            catalog.close()


def _filled(folder: Path, row_count: int) -> SqlCatalog:
    catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/c.db", warehouse=f"file://{folder}/w")
    target = open_target(catalog, _IDENTIFIER, TableLayout(), _OWNER, must_exist=False)
    target.evolve(tuple(Column(field.name, field.type) for field in sample_rows(0, 1).schema))
    writer = DataFileWriter(target, "first")
    now = datetime(2024, 5, 1, tzinfo=UTC)
    for file_id in range(row_count // _ROWS_PER_FILE):
        rows = sample_rows(file_id * _ROWS_PER_FILE, _ROWS_PER_FILE)
        rows = rows.append_column("_source_row", pa.array(range(rows.num_rows), pa.int64()))
        rows = rows.append_column("_rescued_data", pa.nulls(rows.num_rows, pa.string()))
        origin = Origin(f"s3://landing/orders/{file_id}.json", file_id, file_id, rows.num_rows)
        writer.write(with_lineage(rows, [origin], now))
    commit(Prepared("first", target, writer.finish(), "_file_id", []), lambda: True)
    return catalog


def sample_rows(start: int, count: int) -> pa.Table:
    """Orders with values that compress about as real ones do."""
    numbers = pa.array(range(start, start + count), pa.int64())
    mixed = pc.bit_wise_and(pc.multiply(numbers, 2_654_435_761), 0xFFFFFF)
    amount = pc.divide(mixed.cast(pa.float64()), 100.0)
    return pa.table(
        {
            "id": numbers,
            "customer_id": mixed,
            "code": mixed.cast(pa.string()),
            "status": pa.array(["new", "paid", "sent", "back"]).take(pc.bit_wise_and(mixed, 3)),
            "region": pa.nulls(count, pa.string()),
            "amount": amount,
            "ordered_at": pc.multiply(mixed, 1_000_003).cast(pa.timestamp("us", tz="UTC")),
            "item": pa.StructArray.from_arrays([mixed, amount], fields=list(_PAIR)),
        }
    )


if __name__ == "__main__":
    rewriting()

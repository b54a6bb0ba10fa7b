"""Python functions that declarations of tests name."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc


def without_small(rows: pa.Table) -> pa.Table:
    """Orders of an amount, with their total."""
    rows = rows.filter(pc.greater(rows["amount"], 0))
    return rows.append_column("total", pc.multiply(rows["price"], rows["amount"]))


def streamed(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The same, piece by piece."""
    schema = pa.schema([*rows.schema, ("total", pa.float64())])

    def made() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            yield from without_small(pa.Table.from_batches([batch])).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, made())


def by_customer(rows: pa.Table) -> pa.Table:
    """One row a customer, which is no row of the file."""
    return rows.group_by("customer").aggregate([("amount", "sum")])


def choosy(rows: pa.Table) -> pa.Table:
    """Raises where an order is not to its taste."""
    if pc.any(pc.equal(rows["order_id"], 13)).as_py():
        raise ValueError("13 is no number for an order")
    return rows


not_callable = 5

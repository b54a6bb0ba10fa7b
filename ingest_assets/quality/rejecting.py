"""Rows that rules keep out of the table, as records that were rejected."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.quality.description import described
from ingest_assets.schema.value_text import raw_row

_SCHEMA = pa.schema([("source_row", pa.int64()), ("raw", pa.binary()), ("reason", pa.string())])


def rejected_records(
    rows: pa.Table, rules: Sequence[QualityRule], failing: Mapping[int, np.ndarray]
) -> pa.Table:
    """`source_row`, `raw`, `reason` of the rows that break one of the rules (by their places).

    `raw` is the row as JSON, with the columns that go by the table's names and are not null.
    """
    dropped = np.flatnonzero(np.logical_or.reduce(list(failing.values())))
    taken = rows.take(dropped)
    said = {place: f"{rules[place].check_name}: {described(rules[place])}" for place in failing}
    reasons = [
        "breaks " + "; ".join(said[place] for place, mask in failing.items() if mask[row])
        for row in dropped
    ]
    own = [name for name in rows.column_names if name == "_rescued_data" or name[0] != "_"]
    raws = [raw_row(row) for row in taken.select(own).to_pylist()]
    return pa.table([taken["_source_row"].cast(pa.int64()), raws, reasons], schema=_SCHEMA)

"""Position deletes, which other engines write into tables and PyIceberg does not."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record


class _PositionDeletes(_FastAppendFiles):
    """Adds position delete files, as other engines do and PyIceberg does not."""

    def new_manifest_writer(self, spec: Any) -> ManifestWriterV2:
        class Writer(ManifestWriterV2):
            def content(self) -> ManifestContent:
                return ManifestContent.DELETES

            @property
            def _meta(self) -> dict[str, str]:
                return {**super()._meta, "content": "deletes"}

        return Writer(spec, self.schema(), self.new_manifest_output(), self._snapshot_id, "deflate")


def delete_positions(table: Table, path: str, positions: list[int], folder: Path) -> None:
    """The rows at these positions of the data file are deleted."""
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
            pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
        ]
    )
    where = folder / f"deletes-{len(list(folder.iterdir()))}.parquet"
    rows = {"file_path": [path] * len(positions), "pos": positions}
    pq.write_table(pa.table(rows, schema=schema), where)
    transaction = table.transaction()
    update = _PositionDeletes(Operation.APPEND, transaction, table.io)
    update.append_data_file(
        DataFile.from_args(
            content=DataFileContent.POSITION_DELETES,
            file_path=f"file://{where}",
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=len(positions),
            file_size_in_bytes=where.stat().st_size,
            spec_id=0,
            sort_order_id=None,
            equality_ids=None,
            key_metadata=None,
        )
    )
    update.commit()
    transaction.commit_transaction()

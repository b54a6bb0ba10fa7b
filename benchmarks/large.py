"""One large file of each format through `ingest-assets run`: memory, CPU and wall.

A file is a block of rows, made once from the seed of the workloads, as often as it takes.
"""

import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fastavro
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
from obstore.store import S3Store
from pyarrow import orc

from benchmarks.databases import new_database
from benchmarks.ingestion import BUCKET, environment, ingest
from benchmarks.workloads import records
from ingest_assets.demo.object_store import DemoObjectStore
from ingest_assets.ledger.server import EmbeddedPostgres

_BLOCK_ROWS = 50_000
_PUT_BYTES = 16 * 1024**2
_AVRO_TYPES = {str: "string", int: "long", float: "double", bool: "boolean"}


def _repeated(head: bytes, block: bytes, tail: bytes, size_bytes: int) -> Iterator[bytes]:
    yield head
    done = 0
    while done < size_bytes:
        yield block
        done += len(block)
    yield tail


def _json_lines(size_bytes: int) -> Iterator[bytes]:
    block = b"".join(json.dumps(row).encode() + b"\n" for row in records(_BLOCK_ROWS))
    return _repeated(b"", block, b"", size_bytes)


def _json_gzip(size_bytes: int) -> Iterator[bytes]:
    """As large as its content is; each block is a member, as loggers write them."""
    block = b"".join(json.dumps(row).encode() + b"\n" for row in records(_BLOCK_ROWS))
    packed = gzip.compress(block, 6)
    return _repeated(b"", packed, b"", size_bytes * len(packed) // len(block))


def _json_array(size_bytes: int) -> Iterator[bytes]:
    block = b",\n".join(json.dumps(row).encode() for row in records(_BLOCK_ROWS))
    return _repeated(b"[" + block, b",\n" + block, b"]", size_bytes)


def _csv(size_bytes: int) -> Iterator[bytes]:
    names = [name for name in next(records(1)) if name != "address"]
    lines = [
        ",".join("" if row[n] is None else str(row[n]) for n in names)
        for row in records(_BLOCK_ROWS)
    ]
    block = "".join(f"{line}\n" for line in lines).encode()
    return _repeated(",".join(names).encode() + b"\n", block, b"", size_bytes)


def _xml(size_bytes: int) -> Iterator[bytes]:
    def element(row: dict[str, Any]) -> str:
        parts = (f"<{name}>{value}</{name}>" for name, value in row.items() if name != "address")
        return f"<event>{''.join(parts)}</event>\n"

    block = "".join(map(element, records(_BLOCK_ROWS))).encode()
    return _repeated(b"<events>\n", block, b"</events>\n", size_bytes)


def _table() -> pa.Table:
    return pa.Table.from_pylist(list(records(_BLOCK_ROWS)))


def _parquet(size_bytes: int) -> Iterator[bytes]:
    table = _table()
    return _written(lambda sink: pq.ParquetWriter(sink, table.schema), table, size_bytes)


def _orc(size_bytes: int) -> Iterator[bytes]:
    return _written(lambda sink: orc.ORCWriter(sink, compression="zlib"), _table(), size_bytes)


def _written(
    open_writer: Callable[[Any], Any], table: pa.Table, size_bytes: int
) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        with open_writer(pa.PythonFile(file, mode="w")) as writer:
            while file.tell() < size_bytes:
                writer.write(table)
        file.seek(0)
        yield from iter(lambda: file.read(_PUT_BYTES), b"")


def _avro(size_bytes: int) -> Iterator[bytes]:
    rows = [{k: v for k, v in row.items() if k != "address"} for row in records(_BLOCK_ROWS)]
    fields = [
        {"name": k, "type": ["null", _AVRO_TYPES.get(type(v), "string")]}
        for k, v in rows[0].items()
    ]
    schema = fastavro.parse_schema({"type": "record", "name": "Event", "fields": fields})
    whole, empty = io.BytesIO(), io.BytesIO()
    marker = b"0123456789abcdef"
    fastavro.writer(whole, schema, rows, codec="deflate", sync_marker=marker)
    fastavro.writer(empty, schema, [], codec="deflate", sync_marker=marker)
    head = empty.getvalue()
    return _repeated(head, whole.getvalue()[len(head) :], b"", size_bytes)


FORMATS: dict[str, tuple[str, Callable[[int], Iterator[bytes]]]] = {
    "json": ("json", _json_lines),
    "json.gz": ("json", _json_gzip),
    "json-array": ("json", _json_array),
    "csv": ("csv", _csv),
    "parquet": ("parquet", _parquet),
    "avro": ("avro", _avro),
    "orc": ("orc", _orc),
    "xml": ("xml", _xml),
}


def measure(formats: Sequence[str], sizes_gb: Sequence[float]) -> list[dict[str, Any]]:
    """A row for each format and size, in a home and a database of its own."""
    measured = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        DemoObjectStore(Path(folder) / "s3") as store,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
    ):
        os.environ.update(store.env())
        for name in formats:
            for size_gb in sizes_gb:
                measured.append(_measure(name, size_gb, Path(folder), postgres))
                print(json.dumps(measured[-1]), flush=True)
    return measured


def _measure(name: str, size_gb: float, folder: Path, postgres: EmbeddedPostgres) -> dict[str, Any]:
    format_type, made = FORMATS[name]
    prefix = f"{name}-{size_gb}"
    bucket = S3Store(BUCKET, client_options={"allow_http": True, "timeout": "600s"})
    obstore.put(bucket, f"{prefix}/large.{name}", made(round(size_gb * 1e9)), chunk_size=_PUT_BYTES)
    stored = obstore.head(bucket, f"{prefix}/large.{name}")["size"]
    database = new_database(postgres.url, "large_" + "".join(c for c in prefix if c.isalnum()))
    env = environment(folder / prefix, database, format_type, prefix)
    cost = ingest(env)
    outcome = json.loads(cost.stdout)
    assert outcome["files"] == {"SUCCESS": 1}, outcome
    obstore.delete(bucket, f"{prefix}/large.{name}")
    return {
        "format": name,
        "stored_gb": round(stored / 1e9, 2),
        "rows": outcome["rows"],
        "cpu_seconds": round(cost.cpu_seconds, 1),
        "wall_seconds": round(cost.wall_seconds, 1),
        "peak_mb": round(cost.peak_mb),
    }

"""Files damaged at random, read in a process of its own, which tells what it does before it dies.

    python -m ingest_assets_tests.files.reading.fuzz FORMAT SEED SECONDS FOLDER

Every damaged file gives rows or an error of ours, by either path; where both give rows without
rejecting any they are equal. The file that is being read is in FOLDER, so one that ends the process
or hangs is left there.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pyarrow as pa

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.reader import FormatType
from ingest_assets.schema.column import Columns
from ingest_assets_tests.files.reading.contents import (
    avro,
    carefully,
    columns_of,
    fast,
    json_lines,
    orc_file,
    parquet,
)

FORMATS: tuple[FormatType, ...] = get_args(FormatType)
CORPUS = Path(__file__).parent / "corpus"
"""Damaged files that did something else once, a folder a format."""

_ROWS = [
    {"id": n, "name": f"name {n}", "at": f"2024-01-{n % 28 + 1:02}T00:00:00Z", "n": [n, {"x": n}]}
    for n in range(40)
]
_FLAT = [{key: row[key] for key in ("id", "name", "at")} for row in _ROWS]
_TYPED = pa.table(
    {
        "id": range(40),
        "name": [f"name {n}" for n in range(40)],
        "part": [{"x": n, "tags": ["a"] * (n % 3)} for n in range(40)],
        "at": pa.array(range(40), pa.timestamp("us", "UTC")),
    }
)


def seeds(format_type: FormatType) -> list[bytes]:
    """Whole files that damage is done to."""
    match format_type:
        case "json":
            return [json_lines(_ROWS), json.dumps(_ROWS, indent=1).encode()]
        case "csv":
            lines = [
                ",".join(f'"{v}"' if v == row["name"] else str(v) for v in row.values())
                for row in _FLAT
            ]
            return ["\n".join(["id,name,at", *lines, ""]).encode()]
        case "parquet":
            small = {"compression": "none", "use_dictionary": False}
            return [parquet(_TYPED, row_group_size=15), parquet(_TYPED, **small)]
        case "avro":
            schema = {"id": "long", "name": ["null", "string"], "at": "string"}
            return [avro(schema, _FLAT, codec, sync_interval=200) for codec in ("null", "deflate")]
        case "orc":
            return [orc_file(_TYPED, compression=codec) for codec in ("uncompressed", "zlib")]
        case _:
            rows = "".join(f'<r id="{r["id"]}"><name>{r["name"]}</name></r>\n' for r in _FLAT)
            return [f'<?xml version="1.0"?>\n<rows>{rows}</rows>'.encode()]


def _flipped(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _without(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + data[at + draw.randrange(1, 30) :]


def _doubled(data: bytes, draw: random.Random) -> bytes:
    at, size = draw.randrange(len(data)), draw.randrange(1, 60)
    return data[: at + size] + data[at:]


def _with_noise(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + draw.randbytes(draw.randrange(1, 9)) + data[at:]


_DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [
    _flipped,
    _flipped,
    _cut,
    _without,
    _doubled,
    _with_noise,
]


def damaged(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.choice([1, 1, 1, 2, 5])):
        data = draw.choice(_DAMAGES)(data, draw) or b"\n"
    return data


def read(format_type: FormatType, data: bytes, known: Columns) -> str:
    """In a word, what became of the file; anything but an error of ours is raised."""
    try:
        columns_of(format_type, data)
        careful = carefully(format_type, data, known)
    except FileContentError as error:
        return type(error).__name__
    quick = fast(format_type, data, known)
    if quick is not None:
        assert careful.rejected.num_rows == 0
        assert quick.rows.equals(careful.rows)
    return "rejected" if careful.rejected.num_rows else "read"


def main() -> None:
    format_type, seed, seconds, folder = sys.argv[1:]
    assert format_type in FORMATS
    draw = random.Random(int(seed))
    whole = seeds(format_type)
    known = [columns_of(format_type, data) for data in whole]
    end = time.monotonic() + float(seconds)
    outcomes: dict[str, int] = {}
    while time.monotonic() < end:
        number = draw.randrange(len(whole))
        data = damaged(whole[number], draw)
        Path(folder, "last").write_bytes(data)
        outcome = read(format_type, data, known[number])
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()

"""JSON: lines, one array, or one document."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.files.reading import blocks
from ingest_assets.files.reading.blocks import line_blocks
from ingest_assets.files.reading.chunk import (
    NOTHING_REJECTED,
    Chunk,
    Stumbled,
    rows_schema,
)
from ingest_assets.files.reading.compression import codec_of, peek
from ingest_assets.files.reading.foreign import refuse_foreign
from ingest_assets.files.reading.gather import Gatherer
from ingest_assets.files.reading.json_arrays import element_lines
from ingest_assets.files.reading.json_fast import (
    converter,
    line_numbers,
    reading_type,
)
from ingest_assets.files.reading.json_path import RecordPath
from ingest_assets.files.reading.json_records import Shape, raw_records, shape_of
from ingest_assets.files.reading.json_tables import JsonTables
from ingest_assets.files.reading.json_values import BadRecord, parse_record
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.presence import RequiredPresence, check_presence
from ingest_assets.files.reading.together import TOGETHER_BYTES, Together
from ingest_assets.schema.column import Columns, as_struct, nested_field
from ingest_assets.schema.infer import Inference
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.observed import Observed

SHAPES = ("lines", "array", "document")
_OPTIONS = ("shape", "record_path")
Records = Iterator[tuple[int, bytes]]
"""`_source_row` and the bytes of each."""


class JsonReader:
    """Options: `shape` (lines, array or document; detected when it is not given), `record_path`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._shape: Shape | None = options.get("shape")
        path = options.get("record_path")
        self._path = tuple(path.split(".")) if isinstance(path, str) else tuple(path or ())
        self._last_plan: tuple[Columns, _FastPlan] | None = None

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """The rows of JSON lines, or of one array, that fit `columns` exactly.

        Raises:
            Stumbled: something does not; nothing that was yielded may be used.
        """
        plan, presence = self._plan(columns), RequiredPresence(columns)
        first_line = 1
        for block in self._line_blocks(content):
            numbers, line_count = line_numbers(block)
            if len(numbers):
                chunk = plan.chunk(block, numbers, first_line)
                presence.see(chunk.rows.columns)
                if is_first:
                    check_presence(columns, chunk.rows, block, numbers)
                yield chunk
            first_line += line_count
        presence.check()

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """The rows of several small files in one parse: a parse costs more to begin than they do.

        No object can begin in one file and end in the next, as `line_numbers` explains.
        """
        plan, size_bytes = self._plan(columns), 0
        texts, numbers = [], []
        for content in contents:
            text = self._one_block(content)
            size_bytes += len(text)
            if size_bytes > TOGETHER_BYTES:
                raise Stumbled
            numbers.append(line_numbers(text)[0])
            texts.append(text if text.endswith(b"\n") else text + b"\n")
        rows = plan.chunk(b"".join(texts), pa.concat_arrays(numbers), 1).rows
        counts = [len(of_file) for of_file in numbers]
        start = 0
        for count in counts:
            presence = RequiredPresence(columns)
            if count:
                presence.see(rows.slice(start, count).columns)
            presence.check()
            start += count
        return Together(rows, counts)

    def _one_block(self, content: Content) -> bytes:
        blocks = list(itertools.islice(self._line_blocks(content), 2))
        if len(blocks) > 1:
            raise Stumbled
        return b"".join(blocks)

    def _line_blocks(self, content: Content) -> Iterator[bytes]:
        head, pieces = peek(content)
        shape = self._shape or (shape_of(head, content.name) if head else "lines")
        if self._path or shape == "document":
            raise Stumbled
        return element_lines(pieces) if shape == "array" else line_blocks(pieces, content.name)

    def _plan(self, columns: Columns) -> "_FastPlan":
        """The plan of the file before, when it had these very columns; making one costs a file's
        reading. Compared by identity: equal columns may be spelled otherwise in nested fields.
        """
        last = self._last_plan
        if last is None or last[0] is not columns:
            last = self._last_plan = (columns, _FastPlan(columns))
        return last[1]

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The file's own schema from all of its records, judged against `columns`."""
        return _observed(content, *self._records(content), columns or ())

    def observe_beginning(self, content: Content) -> Observed | None:
        """The schema of the first megabytes of JSON lines or an array."""
        shape, records, path = self._records(content)
        if shape == "document":
            return None
        return _observed(content, shape, _beginning(records), path, ())

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """All records: as rows with what does not fit rescued, or rejected."""
        gatherer = Gatherer(columns, ignored)
        exact_decimals = any(_has_decimal(column.type) for column in columns)
        for number, raw in self._records(content)[1]:
            try:
                record = parse_record(raw, exact_decimals=exact_decimals)
            except BadRecord as problem:
                gatherer.reject(number, raw, str(problem))
            else:
                gatherer.add(number, record, len(raw))
            yield from gatherer.full()
        yield from gatherer.rest()

    def _records(self, content: Content) -> tuple[Shape, Records, RecordPath | None]:
        head, pieces = peek(content)
        refuse_foreign(head, content.name, "json")
        path = RecordPath(self._path) if self._path else None
        shape = "document" if path else self._shape or shape_of(head, content.name)
        return shape, raw_records(pieces, shape, content.name, path), path


def _beginning(records: Records) -> Records:
    size_bytes = 0
    for number, raw in records:
        yield number, raw
        size_bytes += len(raw)
        if size_bytes >= blocks.BLOCK_BYTES:
            return


def _observed(
    content: Content, shape: Shape, records: Records, path: RecordPath | None, known: Columns
) -> Observed:
    root = Inference(nested_field("", as_struct(known)))
    record_count = 0
    for _, raw in records:
        try:
            record = parse_record(raw)
        except BadRecord:
            continue
        record_count += 1
        root.see(record)
    detected: dict[str, str | int | bool] = {
        "format": "json",
        "shape": shape,
        "compression": codec_of(content),
    }
    if path is not None:
        detected["record_path"] = ".".join(path.path)
    if path is not None and path.outside:
        detected["outside_records"] = ", ".join(path.outside)
    return Observed(
        judged_columns(root.fields(), known),
        record_count,
        detected,
        root.always_present(record_count),
    )


class _FastPlan:
    """How blocks of a file become chunks of these columns."""

    def __init__(self, columns: Columns) -> None:
        struct = as_struct(columns)
        self._tables = JsonTables(reading_type(struct))
        self._converters = [converter(column.type) for column in columns]
        self._schema = rows_schema(columns)

    def chunk(self, block: bytes, numbers: pa.Array, first_line: int) -> Chunk:
        table = self._tables.read(block, len(numbers))
        arrays = []
        for index, convert in enumerate(self._converters):
            array = table.column(index).chunk(0)
            arrays.append(array if convert is None else convert(array))
        arrays.append(pc.add(numbers, first_line))
        arrays.append(pa.nulls(len(numbers), pa.string()))
        rows = pa.Table.from_arrays(arrays, schema=self._schema)
        return Chunk(rows, NOTHING_REJECTED)


def _has_decimal(type_: pa.DataType) -> bool:
    if pa.types.is_nested(type_):
        fields = [type_.field(index) for index in range(type_.num_fields)]
        return any(_has_decimal(field.type) for field in fields)
    return bool(pa.types.is_decimal(type_))


def validate_json_options(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options, one line a problem; empty when nothing is."""
    problems = [
        f"{name}: the format json has no such option; it has {', '.join(_OPTIONS)}"
        for name in options
        if name not in _OPTIONS
    ]
    shape, path = options.get("shape"), options.get("record_path")
    if shape is not None and shape not in SHAPES:
        problems.append(f"shape: {shape!r} is not one of {', '.join(SHAPES)}")
    keys = path.split(".") if isinstance(path, str) else path
    if path is not None and not (
        isinstance(keys, list | tuple) and keys and all(isinstance(k, str) and k for k in keys)
    ):
        problems.append(
            f"record_path: expected keys with dots between them, or a list of keys, found {path!r}"
        )
    if path is not None and shape not in (None, "document"):
        problems.append("shape: with record_path the files are documents")
    return problems

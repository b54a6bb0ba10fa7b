"""A CSV file as arrays of text, block by block: by Arrow where that is safe, else by record."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from ingest_assets.files.reading.blocks import BLOCK_BYTES, line_blocks, without_lines
from ingest_assets.files.reading.chunk import Rejected, Stumbled
from ingest_assets.files.reading.csv_dialect import Dialect
from ingest_assets.files.reading.csv_records import Record
from ingest_assets.files.reading.csv_structure import Block, record_blocks


@dataclass(frozen=True)
class TextChunk:
    """`texts`: one string array a field of the header. `lines`: int64, where each record begins."""

    texts: list[pa.Array]
    lines: pa.Array
    rejected: list[Rejected]


def text_chunks(
    pieces: Iterable[bytes], dialect: Dialect, name: str, *, is_strict: bool
) -> Iterator[TextChunk]:
    """The records below the header.

    Raises:
        Stumbled: `is_strict`, and there is a record that has to be looked at by itself.
        UnterminatedQuoteError: a quote is never closed.
    """
    skipped = dialect.skipped_lines
    blocks = without_lines(line_blocks(pieces, name), skipped)
    first_line = 1 + skipped
    has_header = dialect.has_header
    for block in record_blocks(blocks, dialect.delimiter, dialect.quote, dialect.is_in_doubt):
        if block.lines is None:
            if is_strict:
                raise Stumbled
            rest = itertools.chain([block.data], blocks)
            yield from _by_record(rest, dialect, name, first_line, has_header)
            return
        if len(block.lines):
            chunk = _by_arrow(block, dialect, first_line, has_header)
            if chunk is not None:
                yield chunk
            elif is_strict:
                raise Stumbled
            else:
                yield from _by_record([block.data], dialect, name, first_line, has_header)
            has_header = False
        first_line += block.line_count


def _by_arrow(
    block: Block, dialect: Dialect, first_line: int, has_header: bool
) -> TextChunk | None:
    """None when Arrow finds a record with another number of fields, or one that is not UTF-8."""
    names = [str(index) for index in range(len(dialect.fields))]
    try:
        table = pv.read_csv(
            pa.BufferReader(block.data),
            read_options=pv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block.data) + 1
            ),
            parse_options=pv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                double_quote=True,
                newlines_in_values=True,
            ),
            convert_options=pv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=list(dialect.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    assert block.lines is not None
    if table.num_rows != len(block.lines):
        return None
    skipped = int(has_header)
    texts = [column.combine_chunks().slice(skipped) for column in table.columns]
    return TextChunk(texts, pc.add(block.lines, first_line).slice(skipped), [])


def _by_record(
    blocks: Iterable[bytes], dialect: Dialect, name: str, first_line: int, has_header: bool
) -> Iterator[TextChunk]:
    records = dialect.splitter(name).records(_lines(blocks), first_line)
    if has_header:
        next(records, None)
    held: list[Record] = []
    size_bytes = 0
    for record in records:
        held.append(record)
        size_bytes += len(record.raw)
        if size_bytes >= BLOCK_BYTES:
            yield _chunk(held, len(dialect.fields))
            held, size_bytes = [], 0
    if held:
        yield _chunk(held, len(dialect.fields))


def _chunk(records: list[Record], width: int) -> TextChunk:
    good = [(record.line, record.fields) for record in records if record.fields is not None]
    columns = list(zip(*(fields for _, fields in good), strict=True)) or [()] * width
    return TextChunk(
        [pa.array(column, pa.string()) for column in columns],
        pa.array([line for line, _ in good], pa.int64()),
        [(r.line, r.raw, r.reason or "") for r in records if r.fields is None],
    )


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        begin = 0
        while begin < len(block):
            end = block.find(b"\n", begin) + 1 or len(block)
            yield block[begin:end]
            begin = end

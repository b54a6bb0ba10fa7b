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
from ingest_assets.files.reading.csv_headers import (
    has_header_again,
    refuse_other_header,
    without_header_again,
)
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
        WrongFormatError: one of the first records is another header.
    """
    chunks = _chunks(pieces, dialect, name, is_strict=is_strict)
    for first in itertools.islice(chunks, 1):
        refuse_other_header(first.texts, first.lines, dialect, name)
        yield first
    yield from chunks


def _chunks(
    pieces: Iterable[bytes], dialect: Dialect, name: str, *, is_strict: bool
) -> Iterator[TextChunk]:
    blocks = without_lines(line_blocks(pieces, name), dialect.lines_before)
    first_line = 1 + dialect.lines_before
    marks = dialect.marks
    for block in record_blocks(blocks, marks.delimiter, marks.quote, dialect.is_in_doubt):
        if block.lines is None:
            if is_strict:
                raise Stumbled
            rest = itertools.chain([block.data], blocks)
            yield from _by_record(rest, dialect, name, first_line)
            return
        if len(block.lines):
            chunk = _by_arrow(block, dialect, first_line)
            if chunk is not None:
                yield chunk
            elif is_strict:
                raise Stumbled
            else:
                yield from _by_record([block.data], dialect, name, first_line)
        first_line += block.line_count


def _by_arrow(block: Block, dialect: Dialect, first_line: int) -> TextChunk | None:
    """None when Arrow finds a record with another number of fields, or one that is not UTF-8, or
    the header may be there again.
    """
    names = [str(index) for index in range(len(dialect.fields))]
    try:
        table = pv.read_csv(
            pa.BufferReader(block.data),
            read_options=pv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block.data) + 1
            ),
            parse_options=pv.ParseOptions(
                delimiter=dialect.marks.delimiter,
                quote_char=dialect.marks.quote or False,
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
    texts = [column.combine_chunks() for column in table.columns]
    if has_header_again(texts, dialect):
        return None
    return TextChunk(texts, pc.add(block.lines, first_line), [])


def _by_record(
    blocks: Iterable[bytes], dialect: Dialect, name: str, first_line: int
) -> Iterator[TextChunk]:
    held: list[Record] = []
    size_bytes = 0
    for record in dialect.splitter(name).records(_lines(blocks), first_line):
        held.append(without_header_again(record, dialect))
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

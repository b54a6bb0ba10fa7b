"""CSV and TSV: every field is read as text, then each column is cast to its type."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.files.reading.chunk import Chunk, Stumbled, rejected_table, rows_schema
from ingest_assets.files.reading.compression import codec_of, peek
from ingest_assets.files.reading.csv_dialect import Dialect, detect
from ingest_assets.files.reading.csv_text import TextChunk, text_chunks
from ingest_assets.files.reading.foreign import refuse_foreign
from ingest_assets.files.reading.line_ends import with_line_feeds
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.text_encoding import encoding_of, head_in_utf_8, in_utf_8
from ingest_assets.files.reading.together import Together, one_after_another
from ingest_assets.schema.column import Columns, as_struct, nested_field
from ingest_assets.schema.fit import field_for
from ingest_assets.schema.infer_text import TextInference, said
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.names import claim_name
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.text_arrays import fit_text
from ingest_assets.schema.value_text import text_of


class CsvReader:
    """Options: `delimiter`, `quote`, `escape`, `header` (detected when not given), `encoding`,
    `null_values`, `skip_lines`, `comment`.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """The rows of a file whose every record and value fits `columns`.

        Raises:
            Stumbled: one does not; nothing that was yielded may be used.
        """
        dialect, pieces = self._opened(content, columns)
        if dialect.has_title:  # of lines that were passed over the careful path tells
            raise Stumbled
        plan = _Plan(dialect, columns)
        for chunk in text_chunks(pieces, dialect, content.name, is_strict=True):
            if len(chunk.lines):
                yield plan.exact_chunk(chunk)

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """The rows of several small files, one after another."""
        return one_after_another(self.read_fast, contents, columns)

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The types of the columns from all records that can be split, judged against `columns`."""
        return self._observe(content, columns or (), chunk_count=None)

    def observe_beginning(self, content: Content) -> Observed | None:
        """The types of the columns from the first megabytes.

        Not where one is a decimal: it takes `1e3`, which among all texts would make a double.
        """
        observed = self._observe(content, (), chunk_count=1)
        if any(pa.types.is_decimal(column.type) for column in observed.columns):
            return None
        return observed

    def _observe(self, content: Content, known: Columns, chunk_count: int | None) -> Observed:
        dialect, pieces = self._opened(content, known)
        plan = _Plan(dialect, known)
        inferences = [TextInference(field) for field in plan.fields]
        record_count = 0
        chunks = text_chunks(pieces, dialect, content.name, is_strict=False)
        for chunk in itertools.islice(chunks, chunk_count):
            record_count += len(chunk.lines)
            for inference, text in zip(inferences, chunk.texts, strict=True):
                inference.see(text)
        found = {}
        for name, spelled, inference in zip(plan.names, dialect.fields, inferences, strict=True):
            field = inference.result(name)
            if field is not None:
                found[name] = nested_field(name, field.type, source_name=spelled)
        order = dict.fromkeys([*(c.name for c in known if c.name in found), *found])
        detected: dict[str, str | int | bool] = {
            "format": "csv",
            "compression": codec_of(content),
            **dialect.detected,
        }
        return Observed(
            judged_columns([found[name] for name in order], known),
            record_count,
            detected,
            frozenset(plan.names),
        )

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """All records: as rows with what does not fit rescued, or rejected."""
        dialect, pieces = self._opened(content, columns)
        plan = _Plan(dialect, columns)
        for chunk in text_chunks(pieces, dialect, content.name, is_strict=False):
            if len(chunk.lines) or chunk.rejected:
                yield plan.chunk(chunk, ignored)

    def _opened(self, content: Content, columns: Columns) -> tuple[Dialect, Iterator[bytes]]:
        head, pieces = peek(content)
        encoding = encoding_of(head, self._options.get("encoding"))
        head = head_in_utf_8(head, encoding)
        refuse_foreign(head, content.name, "csv")
        known = {column.name for column in columns}
        dialect = detect(head, content.name, self._options, known, encoding)
        pieces = in_utf_8(pieces, encoding, content.name)
        return dialect, with_line_feeds(pieces) if dialect.has_bare_returns else pieces


class _Plan:
    """Which field of the header goes into which column; `fields` is None where none takes it."""

    def __init__(self, dialect: Dialect, columns: Columns) -> None:
        struct = as_struct(columns)
        self._spelled = dialect.fields
        self._columns = columns
        self._schema = rows_schema(columns)
        self.fields = [field_for(struct, field) for field in dialect.fields]
        taken: dict[str, str] = {}
        self.names = [
            claim_name(spelled, taken, None if field is None else field.name)
            for spelled, field in zip(dialect.fields, self.fields, strict=True)
        ]
        self._lacks_required = any(c.is_required and c.name not in taken for c in columns)

    def exact_chunk(self, chunk: TextChunk) -> Chunk:
        """The texts as rows.

        Raises:
            Stumbled: a text does not fit, or belongs to no column, or a required column is absent.
        """
        if self._lacks_required:
            raise Stumbled
        arrays: dict[str, pa.Array] = {}
        for name, field, text in zip(self.names, self.fields, chunk.texts, strict=True):
            if field is None:
                if len(said(text)):
                    raise Stumbled
                continue
            arrays[name], misfits = fit_text(_without_empty(text, field.type), field.type)
            if misfits is not None:
                raise Stumbled
        return self._rows(arrays, chunk, pa.nulls(len(chunk.lines), pa.string()))

    def chunk(self, chunk: TextChunk, ignored: frozenset[str]) -> Chunk:
        """The texts as rows, with `_rescued_data` for what does not fit."""
        arrays: dict[str, pa.Array] = {}
        left: dict[int, dict[str, str]] = {}
        for index, text in enumerate(chunk.texts):
            name, field = self.names[index], self.fields[index]
            if field is not None:
                arrays[name], misfits = fit_text(_without_empty(text, field.type), field.type)
            else:
                misfits = None if name in ignored else pc.greater(pc.binary_length(text), 0)
            if misfits is not None:
                rows = pc.indices_nonzero(misfits)
                for row, value in zip(rows.to_pylist(), text.take(rows).to_pylist(), strict=True):
                    left.setdefault(row, {})[self._spelled[index]] = value
        rescued: list[str | None] = [None] * len(chunk.lines)
        for row, values in left.items():
            rescued[row] = text_of(values)
        return self._rows(arrays, chunk, pa.array(rescued, pa.string()))

    def _rows(self, arrays: dict[str, pa.Array], chunk: TextChunk, rescued: pa.Array) -> Chunk:
        found = [
            arrays[c.name] if c.name in arrays else pa.nulls(len(chunk.lines), c.type)
            for c in self._columns
        ]
        rows = pa.Table.from_arrays([*found, chunk.lines, rescued], schema=self._schema)
        return Chunk(rows, rejected_table(chunk.rejected))


def _without_empty(text: pa.Array, type_: pa.DataType) -> pa.Array:
    """An empty text says nothing in a column that is not of text."""
    if pa.types.is_string(type_) or pc.min(pc.binary_length(text)).as_py() != 0:
        return text
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)

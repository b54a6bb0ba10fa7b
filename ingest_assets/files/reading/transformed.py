"""A reader of transformed rows: what the format's reader gives, through the transform.

Everything after it sees the result as it would see a file of declared types. The format's reader
reads by the columns that the source is known to have; what of a row does not fit those is rescued
by it, and goes with the row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ingest_assets.files.reading.chunk import (
    Chunk,
    Stumbled,
    Taken,
    rows_schema,
)
from ingest_assets.files.reading.known_source import (
    FileSource,
    KnownSource,
    expected_source,
    file_source,
)
from ingest_assets.files.reading.made_chunk import chunk_of, source_rows_of
from ingest_assets.files.reading.made_columns import MadeColumns
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.presence import RequiredPresence
from ingest_assets.files.reading.reader import Reader
from ingest_assets.files.reading.together import TOGETHER_BYTES, Together, one_after_another
from ingest_assets.schema.column import Columns
from ingest_assets.schema.observed import Observed
from ingest_assets.transforms.errors import TransformError
from ingest_assets.transforms.made import Bound, Source, SourceRows, Transform
from ingest_assets.transforms.row_wise import RowWise


@contextmanager
def _about(content: Content) -> Iterator[None]:
    """What the transform says against the file is told as the file's failure."""
    try:
        yield
    except TransformError as error:
        raise TransformError(
            f"The transform fails on {content.name}: {error}. Nothing of the file was written. "
            "Mend `transform`, so that it takes such files too, or the file."
        ) from error


class TransformedReader:
    """`may_lack`: fields that a file may lack though every one had them; None for all."""

    def __init__(
        self,
        reader: Reader,
        transform: Transform,
        known: KnownSource,
        may_lack: frozenset[str] | None = frozenset(),
    ) -> None:
        self._reader = reader
        self._transform = transform
        self._known = known
        self._may_lack = may_lack
        self._last: tuple[Columns, Columns | None, Columns, Bound] | None = None

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """The result for a file that fits what is known of the source, if it fits `columns`.

        Raises:
            Stumbled: something does not, or the transform fails: the careful path says on what.
        """
        try:
            source, bound = self._bound_for(content, columns)
            presence = RequiredPresence(columns)
            for chunk in self._chunks(
                bound, self._reader.read_fast(content, source, is_first=is_first), columns, None
            ):
                if chunk.rows.num_rows:
                    presence.see(chunk.rows.columns)
                yield chunk
            presence.check()
        except TransformError as error:
            raise Stumbled from error

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """The result for several small files: of all rows at once, where each row is by itself."""
        try:
            source, bound = self._expected(columns)
        except TransformError as error:
            raise Stumbled from error
        if not isinstance(bound, RowWise):
            return one_after_another(self.read_fast, contents, columns)
        together = self._reader.read_together(contents, source)
        piece = source_rows_of(together.rows)
        positions = pa.arange(0, together.rows.num_rows)
        try:
            made = bound.of(replace(piece, numbers=positions))
        except TransformError as error:
            raise Stumbled from error
        kept = made.numbers
        made = replace(made, numbers=piece.numbers.take(kept))
        rows = chunk_of(made, columns, None).rows
        counts: list[int] = []
        taken: list[Taken] = []
        start, unused = 0, tuple(self._transform.unused([column.name for column in source]))
        for count in together.counts:
            inside = pc.and_(pc.greater_equal(kept, start), pc.less(kept, start + count))
            left = pc.sum(inside).as_py() or 0
            presence = RequiredPresence(columns)
            if left:
                presence.see(rows.slice(sum(counts), left).columns)
            presence.check()
            counts.append(left)
            taken.append(Taken(count, count - left, unused))
            start += count
        if rows.nbytes > TOGETHER_BYTES:
            raise Stumbled
        return Together(rows, counts, taken)

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The schema of the result, by the types of the file's own fields."""
        taken = self._transform.taken_as(columns or ())
        expected = expected_source(self._known.columns, taken)
        observed = self._reader.observe(content, expected or None)
        if not observed.record_count:
            return replace(observed, columns=())
        found = file_source(observed, expected, self._known.columns, taken)
        self._known.note(content, found)

        def source_rows() -> Iterator[SourceRows]:
            for chunk in self._reader.read_careful(content, found.present):
                yield source_rows_of(chunk.rows)

        with _about(content):
            bound = self._transform.bind(self._source(found))
            made = MadeColumns(bound.fields(source_rows), columns or ())
            judged = made.judged(lambda: bound.run(source_rows()))
        return Observed(
            judged, observed.record_count, observed.detected, made.always_present(found)
        )

    def observe_beginning(self, content: Content) -> Observed | None:
        """As `observe`, of the first megabytes, where their types are those of the whole file."""
        observed = self._reader.observe_beginning(content)
        if observed is None or not observed.record_count or self._known.columns is not None:
            return None
        found = file_source(observed, (), None)
        with _about(content):
            bound = self._transform.bind(self._source(found))
            if not isinstance(bound, RowWise):
                return None
            self._known.note(content, found)
            made = MadeColumns(bound.fields(lambda: iter(())), ())
        return Observed(
            made.judged(lambda: iter(())),
            observed.record_count,
            observed.detected,
            made.always_present(found),
        )

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """The result for all records that can be read; the others are rejected."""
        if self._known.of(content) is None and not self.observe(content, columns).record_count:
            yield from self._only_rejected(content, columns)
            return
        with _about(content):
            source, bound = self._bound_for(content, columns)
            chunks = self._reader.read_careful(content, source)
            yield from self._chunks(bound, chunks, columns, ignored)

    def _only_rejected(self, content: Content, columns: Columns) -> Iterator[Chunk]:
        """Of a file without a record that can be read, the others."""
        nothing = rows_schema(columns).empty_table()
        expected = expected_source(self._known.columns, self._transform.taken_as(columns))
        for chunk in self._reader.read_careful(content, expected):
            yield Chunk(nothing, chunk.rejected, Taken(chunk.rejected.num_rows, 0))

    def _bound_for(self, content: Content, columns: Columns) -> tuple[Columns, Bound]:
        """What to read the content by, and the transform for it."""
        found = self._known.of(content)
        if found is None:
            return self._expected(columns)
        taken = self._transform.taken_as(columns)
        present = tuple(
            replace(c, type=taken[c.name].type, accepts_any=taken[c.name].accepts_any)
            if c.name in taken
            else c
            for c in found.present
        )
        return present, self._transform.bind(self._source(replace(found, present=present)))

    def _expected(self, columns: Columns) -> tuple[Columns, Bound]:
        """The same for a file of which nothing is known, but what is of all files."""
        known, last = self._known.columns, self._last
        if last is not None and last[0] is columns and last[1] is known:
            return last[2], last[3]
        source = expected_source(known, self._transform.taken_as(columns))
        bound = self._transform.bind(Source(source))
        self._last = (columns, known, source, bound)
        return source, bound

    def _source(self, found: FileSource) -> Source:
        names = {column.name for column in found.present}
        missing = [column for column in found.known if column.name not in names]
        lost = [
            c.name
            for c in missing
            if c.is_required and self._may_lack is not None and c.name not in self._may_lack
        ]
        return Source(found.present, tuple(missing), frozenset(lost))

    def _chunks(
        self,
        bound: Bound,
        chunks: Iterator[Chunk],
        columns: Columns,
        ignored: frozenset[str] | None,
    ) -> Iterator[Chunk]:
        unused: tuple[str, ...] = ()
        refused: list[pa.Table] = []

        def source_rows() -> Iterator[SourceRows]:
            nonlocal unused
            for chunk in chunks:
                if chunk.rejected.num_rows:
                    refused.append(chunk.rejected)
                if chunk.rows.num_rows:
                    names = chunk.rows.column_names[:-2]
                    unused = tuple(self._transform.unused(names))
                    yield source_rows_of(chunk.rows)

        for made in bound.run(source_rows()):
            chunk = chunk_of(made, columns, ignored)
            records = made.records + sum(part.num_rows for part in refused)
            rejected = [*refused, chunk.rejected]
            refused.clear()
            taken = Taken(records, made.filtered, unused)
            yield Chunk(chunk.rows, pa.concat_tables(rejected), taken)
        if refused:
            rest = pa.concat_tables(refused)
            yield Chunk(rows_schema(columns).empty_table(), rest, Taken(rest.num_rows, 0))

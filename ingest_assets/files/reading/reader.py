"""What reads a file of a format: the fast path, and the careful one in two passes.

A reader holds nothing about a file; one can serve many files and threads at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from ingest_assets.files.reading.avro_file import open_avro
from ingest_assets.files.reading.chunk import Chunk, Stumbled
from ingest_assets.files.reading.csv_options import validate_csv_options
from ingest_assets.files.reading.csv_reader import CsvReader
from ingest_assets.files.reading.json_reader import JsonReader, validate_json_options
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.orc_file import open_orc
from ingest_assets.files.reading.parquet_file import open_parquet
from ingest_assets.files.reading.together import Together
from ingest_assets.files.reading.typed_file import Opener
from ingest_assets.files.reading.typed_reader import TypedReader
from ingest_assets.files.reading.xml_reader import XmlReader, validate_xml_options
from ingest_assets.schema.column import Columns
from ingest_assets.schema.observed import Observed

__all__ = ["Chunk", "Content", "FormatType", "Observed", "Reader", "Stumbled", "reader_for"]

FormatType = Literal["json", "csv", "parquet", "avro", "orc", "xml"]
_TYPED: Mapping[str, Opener] = {"parquet": open_parquet, "avro": open_avro, "orc": open_orc}


class Reader(Protocol):
    """Reads the files of one format. Every method raises `FileContentError` for the whole file."""

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """The rows of a file that fits `columns` exactly; nothing is rescued or rejected.

        A required column is one that the file has; in a table's first file, of which the columns
        are made, one that every record has.

        Raises:
            Stumbled: something does not fit, or only the careful path can tell; nothing that was
                yielded may be used.
        """
        ...

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """As `read_fast`, for several small files at once.

        Raises:
            Stumbled: one of them does not fit; read each alone.
        """
        ...

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The file's schema, from the whole file, judged against the table's `columns`."""
        ...

    def observe_beginning(self, content: Content) -> Observed | None:
        """The schema that the first megabytes of a file have, of which nothing is known yet.

        If `read_fast` reads the whole file by the columns that this makes, `observe` would have
        made the same. None where that does not hold.
        """
        ...

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """Every record: a row, with what no column takes in `_rescued_data`, or rejected.

        Top-level fields whose column names are in `ignored` are dropped.
        """
        ...


def reader_for(format_type: FormatType, options: Mapping[str, Any]) -> Reader:
    """The reader of a format with options that `validate_options` finds nothing wrong with."""
    if format_type == "json":
        return JsonReader(options)
    if format_type == "csv":
        return CsvReader(options)
    if format_type == "xml":
        return XmlReader(options)
    return TypedReader(_TYPED[format_type])


def validate_options(format_type: str, options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options, one line a problem; empty when nothing is."""
    if format_type == "csv":
        return validate_csv_options(options)
    if format_type == "xml":
        return validate_xml_options(options)
    if format_type == "json":
        return validate_json_options(options)
    return [f"{name}: the format {format_type} has no options" for name in options]

"""Rows through a transform, by the reader that stands in front of a format's own."""

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
from hypothesis import given, settings

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.known_source import KnownSource
from ingest_assets.files.reading.reader import FormatType, Reader, Stumbled, reader_for
from ingest_assets.files.reading.transformed import TransformedReader
from ingest_assets.schema.column import Columns
from ingest_assets.schema.policy import SchemaRules, decide
from ingest_assets.schema.types import columns_to_json
from ingest_assets.transforms.declared_transform import transform_of
from ingest_assets_tests.files.reading.contents import content, json_lines, together
from ingest_assets_tests.files.reading.test_paths_agree import _csv_files, _json_files

_ALL = ("select * from source", "select * from source where 1 = 1", "from source")


def life(
    reader: Reader, known: KnownSource, files: Sequence[bytes], table: Columns | None = None
) -> list[Any]:
    """What becomes of files that follow each other: all that the engine asks a reader for."""
    told: list[Any] = []
    for data in files:
        file = content(data)
        try:
            if table is not None:
                told.append(_fast(reader, file, table))
            observed = reader.observe(file, table)
            decision = decide(table, observed, SchemaRules())
            told.append((decision.verdict, columns_to_json(decision.target)))
            told.append((columns_to_json(observed.columns), observed.record_count))
            told.append(observed.always_present & {c.name for c in observed.columns})
            read = together(reader.read_careful(file, decision.target), decision.target)
            told += [read.rows, read.rejected]
            if not decision.is_parked and decision.target:
                table = decision.target
                known.keep(file)
        except FileContentError as error:
            told.append(type(error))
    return told


def _fast(reader: Reader, file: Any, table: Columns) -> pa.Table | None:
    try:
        alone = together(reader.read_fast(file, table), table).rows
        both = reader.read_together([file, file], table).rows
    except Stumbled:
        return None
    assert both.num_rows == 2 * alone.num_rows
    return alone


def transformed(format_type: FormatType, sql: str, known: KnownSource) -> Reader:
    return TransformedReader(reader_for(format_type, {}), transform_of(sql), known)


def check_same(
    format_type: FormatType, files: Sequence[bytes], sql: str, table: Columns | None = None
) -> None:
    known = KnownSource()
    plain = life(reader_for(format_type, {}), KnownSource(), files, table)
    through = life(transformed(format_type, sql, known), known, files, table)
    assert len(plain) == len(through)
    for one, other in zip(plain, through, strict=True):
        if isinstance(one, pa.Table):
            assert other is not None
            assert one.equals(other)
        elif one is not None:  # a transform may take the careful path where none does not
            assert one == other


@settings(max_examples=80, deadline=None)
@given(_json_files(), st.sampled_from(_ALL))
def test_all_columns_of_json_are_what_they_are_without_a_transform(
    files: tuple[list[dict[str, Any]], list[dict[str, Any]]], sql: str
) -> None:
    first, second = (json_lines(records) for records in files)
    check_same("json", [first, second, first], sql)


@settings(max_examples=60, deadline=None)
@given(_csv_files(), st.sampled_from(_ALL))
def test_all_columns_of_csv_are_what_they_are_without_a_transform(
    file: tuple[bytes, int], sql: str
) -> None:
    check_same("csv", [file[0], file[0]], sql)

"""XML: the elements of one name are the rows; `_source_row` is the row's number, from 1."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest_assets.errors import ColumnNameError
from ingest_assets.files.reading.chunk import Chunk, Stumbled
from ingest_assets.files.reading.compression import codec_of, peek
from ingest_assets.files.reading.foreign import refuse_foreign
from ingest_assets.files.reading.gather import Gatherer
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.together import Together
from ingest_assets.files.reading.xml_records import XmlOptions, XmlRows
from ingest_assets.schema.column import Columns, as_struct, nested_field
from ingest_assets.schema.judged import judged_columns
from ingest_assets.schema.observed import Observed
from ingest_assets.schema.repeated import RepeatedInference, Shape


class XmlReader:
    """Options: `row_tag`, `attribute_prefix`, `text_name`, `ignore_namespaces`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = XmlOptions(**options)

    def read_fast(
        self, content: Content, columns: Columns, *, is_first: bool = False
    ) -> Iterator[Chunk]:
        """No XML is for the fast path.

        Raises:
            Stumbled: always.
        """
        raise Stumbled

    def read_together(self, contents: Sequence[Content], columns: Columns) -> Together:
        """No XML is for the fast path.

        Raises:
            Stumbled: always.
        """
        raise Stumbled

    def observe(self, content: Content, columns: Columns | None) -> Observed:
        """The file's own schema from all of its rows, judged against `columns`."""
        known = columns or ()
        root = RepeatedInference(nested_field("", as_struct(known)), self._options.text_name)
        rows = self._rows(content)
        record_count = 0
        try:
            for record in rows:
                record_count += 1
                root.see(record)
        except ColumnNameError as error:
            raise ColumnNameError(
                f"{content.name}: {error} An attribute has a name of its own with another "
                "format.options.attribute_prefix, such as attr_."
            ) from error
        detected: dict[str, str | int | bool] = {
            "format": "xml",
            "row_tag": self._options.row_tag or rows.tag or "",
            "compression": codec_of(content),
        }
        if rows.outside:
            detected["outside_rows"] = ", ".join(rows.outside)
        return Observed(
            judged_columns(root.fields(), known),
            record_count,
            detected,
            root.always_present(record_count),
        )

    def observe_beginning(self, content: Content) -> None:
        """There is no fast path that could prove it right."""

    def read_careful(
        self, content: Content, columns: Columns, *, ignored: frozenset[str] = frozenset()
    ) -> Iterator[Chunk]:
        """All rows, with what does not fit rescued."""
        gatherer = Gatherer(columns, ignored)
        shape = Shape(as_struct(columns), self._options.text_name)
        rows, taken = self._rows(content), 0
        for number, record in enumerate(rows, 1):
            gatherer.add(number, shape.of(record), rows.size_bytes - taken)
            taken = rows.size_bytes
            yield from gatherer.full()
        yield from gatherer.rest()

    def _rows(self, content: Content) -> XmlRows:
        head, pieces = peek(content)
        if head:
            refuse_foreign(head, content.name, "xml")
        return XmlRows(pieces if head else (), content.name, self._options)


def validate_xml_options(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options, one line a problem; empty when nothing is."""
    known = XmlOptions.__annotations__
    problems = [
        f"{name}: the format xml has no such option; it has {', '.join(known)}"
        for name in options
        if name not in known
    ]
    for name in ("row_tag", "attribute_prefix", "text_name"):
        value = options.get(name, "row")
        if not isinstance(value, str) or (name != "attribute_prefix" and not value):
            problems.append(f"{name}: expected a text, found {value!r}")
    if not isinstance(options.get("ignore_namespaces", False), bool):
        problems.append(
            f"ignore_namespaces: expected true or false, found {options['ignore_namespaces']!r}"
        )
    return problems

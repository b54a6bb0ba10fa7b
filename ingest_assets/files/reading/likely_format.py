"""Which format a file has, told by what the formats themselves refuse."""

import re

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.compression import peek
from ingest_assets.files.reading.foreign import refuse_foreign
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import FormatType

_MAGIC: tuple[tuple[bytes, FormatType], ...] = (
    (b"PAR1", "parquet"),
    (b"Obj\x01", "avro"),
    (b"ORC", "orc"),
)
_TEXTS: tuple[FormatType, ...] = ("json", "xml", "csv")
"""In this order: nearly anything is CSV."""
_RECORDS = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[')


def likely_format(content: Content) -> FormatType | None:
    """The first format that does not refuse the beginning of the file; None if all do.

    Raises:
        CorruptFileError: the file does not decompress.
    """
    head, _ = peek(content)
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    for text in _TEXTS if head.strip() else ():
        try:
            refuse_foreign(head, content.name, text)
        except FileContentError:
            continue
        return text
    return None


def likely_record_path(content: Content) -> str | None:
    """`Records` where the file is one object that begins with such an array, as AWS logs are."""
    head, _ = peek(content)
    return "Records" if _RECORDS.match(head) else None

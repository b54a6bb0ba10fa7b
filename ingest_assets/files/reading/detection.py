"""What a file is, by its magic bytes, its content and, where these leave it open, its name."""

import re
from dataclasses import dataclass

import orjson

from ingest_assets.errors import FileContentError
from ingest_assets.files.reading.compression import HEAD_BYTES, Codec, codec_of
from ingest_assets.files.reading.csv_beginning import DELIMITERS
from ingest_assets.files.reading.cut_short import unpacked_beginning
from ingest_assets.files.reading.foreign import refuse_encrypted, refuse_foreign
from ingest_assets.files.reading.opened import Content
from ingest_assets.files.reading.reader import FormatType
from ingest_assets.files.reading.text_encoding import encoding_of, head_in_utf_8

_MAGIC: tuple[tuple[bytes, FormatType], ...] = (
    (b"PAR1", "parquet"),
    (b"Obj\x01", "avro"),
    (b"ORC", "orc"),
)
_SUFFIXES: dict[str, FormatType] = {
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "csv": "csv",
    "tsv": "csv",
    "tab": "csv",
    "psv": "csv",
    "parquet": "parquet",
    "avro": "avro",
    "orc": "orc",
    "xml": "xml",
}
_CODEC_SUFFIX = re.compile(r"\.(gz|gzip|zst|zstd|bz2|lz4|snappy|sz)$", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BOM = b"\xef\xbb\xbf"
_RECORDS = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[')


@dataclass(frozen=True)
class Detected:
    """`type`: None where nothing that can be read was found; `reason` says why, or how it was told.

    `named`: what the suffix says; None where it says nothing.
    """

    type: FormatType | None
    codec: Codec
    named: FormatType | None
    reason: str


def format_named(key: str) -> FormatType | None:
    """What the suffix of a key says, below that of a compression."""
    return _SUFFIXES.get(_CODEC_SUFFIX.sub("", key).rpartition(".")[2].lower())


def detect(content: Content) -> Detected:
    """What the file is, from its first bytes, also if it is damaged; an empty one is as named."""
    codec, named = codec_of(content), format_named(content.name)
    head = unpacked_beginning(content, HEAD_BYTES)[:HEAD_BYTES]
    try:
        refuse_encrypted(head, content.name)
    except FileContentError as error:
        return Detected(None, codec, named, str(error))
    if not head.strip():
        empty = "it is empty" if not content.size_bytes else "nothing of it can be unpacked"
        return Detected(named, codec, named, f"{empty}, and its name says so")
    found, reason = _of_head(head, named)
    if found is None:
        try:
            refuse_foreign(head, content.name, "csv")
        except FileContentError as error:
            said = str(error).replace("is declared as csv, but its content is", "seems to be")
            reason = (
                f"{said.split(' Nothing of the file')[0]} It cannot be read as such: mend it, or "
                "exclude such files by source.pattern."
            )
    return Detected(found, codec, named, reason)


def likely_record_path(content: Content) -> str | None:
    """`Records` where the file is one object that begins with such an array, as AWS logs are."""
    head = unpacked_beginning(content, HEAD_BYTES)
    return "Records" if _RECORDS.match(head) else None


def _of_head(head: bytes, named: FormatType | None) -> tuple[FormatType | None, str]:
    for magic, format_type in _MAGIC:
        if head.startswith(magic) and (magic != b"ORC" or _CONTROL.search(head[:64])):
            return format_type, f"its first bytes are those of {format_type}"
    text = head_in_utf_8(head, encoding_of(head, None)).removeprefix(_BOM)
    start = text.lstrip()
    if _CONTROL.search(text[:4096]):
        return None, "its first bytes are of no format that can be read"
    if start.startswith((b"{", b"[")) and (named == "json" or _has_json(start)):
        return "json", "it begins as JSON does"
    if re.match(rb"<(\?xml|[A-Za-z_!])", start):
        if b"<html" in start[:1024].lower():
            return None, "it is HTML, perhaps the page of an error"
        return "xml", "it begins with an element"
    return _of_lines(text, named)


def _has_json(start: bytes) -> bool:
    """A line of the beginning is a JSON value, or its first tokens are those of an object."""
    for line in start.splitlines()[:20]:
        try:
            orjson.loads(line.strip().rstrip(b","))
        except orjson.JSONDecodeError:
            continue
        return True
    return bool(re.match(rb'(\[\s*)?\{\s*("[^"]*"\s*:|\})|\[\s*(\]|$)', start))


def _of_lines(text: bytes, named: FormatType | None) -> tuple[FormatType | None, str]:
    """CSV where a delimiter is in most lines, or the name says so."""
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip()][:100]
    for delimiter in DELIMITERS:
        mark = delimiter.encode() if isinstance(delimiter, str) else delimiter
        having = sum(mark in line for line in lines)
        if lines and having * 10 >= len(lines) * 8:
            return "csv", f"most of its lines have {mark.decode()!r}"
    if named == "csv":
        return "csv", "it is text, and its name says so"
    if named is not None:
        return named, f"its name says so, and its first bytes do not contradict the suffix {named}"
    return "csv", "it is text of one column"

"""A file that is not what the declaration says is refused by name, before any row is read."""

import re

from ingest_assets.errors import EncryptedFileError, WrongFormatError

_BINARY: tuple[tuple[bytes, str], ...] = (
    (b"PAR1", "Parquet"),
    (b"Obj\x01", "Avro"),
    (b"PK\x03\x04", "a zip archive (perhaps an Excel workbook)"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"%PDF", "PDF"),
    (b"\xff\xfe", "text in UTF-16, not UTF-8"),
    (b"\xfe\xff", "text in UTF-16, not UTF-8"),
    (b"\x1f\x8b", "compressed twice (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed twice (zstd)"),
    (b"SQLite format 3", "an SQLite database"),
)
_ENCRYPTED: tuple[tuple[bytes, str], ...] = (
    (b"PARE", "an encrypted Parquet file"),
    (b"Salted__", "encrypted by OpenSSL"),
    (b"-----BEGIN PGP MESSAGE", "encrypted by PGP"),
    (b"age-encryption.org/", "encrypted by age"),
)
_MARKUP = re.compile(rb"\s*<(\?xml|!doctype|html|[a-z_][\w:.-]*[\s>/])", re.IGNORECASE)
_JSON = re.compile(rb"\s*(\[\s*)?\{\s*(\"[^\"\n]*\"\s*:|\}\s*$)")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_NUL_SHARE = 10
"""Bytes of which more than one in so many is NUL are no text; a single one is a bad record."""
_ZIP_FLAGS = slice(6, 8)


def refuse_foreign(head: bytes, name: str, declared: str) -> None:
    """Nothing, unless the first bytes are known to be of another format than the declared one.

    Raises:
        WrongFormatError: they are another format; the message names it.
        EncryptedFileError: they are encrypted.
    """
    refuse_encrypted(head, name)
    if declared == "xml" and _is_markup(head):
        return
    found = next((words for magic, words in _BINARY if head.startswith(magic)), None)
    text = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith(b"ORC") and _CONTROL.search(head[:64]):
        found = "ORC"
    if found is None and _MARKUP.match(text):
        found = "HTML" if b"<html" in head[:1024].lower() else "XML"
    if found is None and declared == "csv" and _JSON.match(text):
        found = "JSON"
    if found is None and declared == "xml":
        found = "JSON" if _JSON.match(text) else "CSV or other text"
    if found is None and declared == "json" and not _begins_json(text):
        found = "CSV or other text"
    if found is None and head.count(b"\x00") * _NUL_SHARE > len(head):
        found = "binary data"
        if declared == "csv":
            found += ", or text in UTF-16 without its mark, which format.options.encoding can name"
    if found is not None:
        raise wrong_format(name, declared, found)


def _is_markup(head: bytes) -> bool:
    """The beginning of XML, also in UTF-16, and not of HTML."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"
    text = head.removeprefix(b"\xef\xbb\xbf").decode(encoding, errors="replace").encode()
    return _MARKUP.match(text) is not None and b"<html" not in text[:1024].lower()


def wrong_format(name: str, declared: str, found: str) -> WrongFormatError:
    """The error for a file that is `found` where `declared` was expected."""
    return WrongFormatError(
        f"{name} is declared as {declared}, but its content is {found}. Nothing of the file was "
        "written. Set format.type to what the files are, or exclude such files by source.pattern."
    )


def refuse_encrypted(head: bytes, name: str) -> None:
    """Nothing, if the first bytes are of no encrypted format.

    Raises:
        EncryptedFileError: they are.
    """
    found = next((words for magic, words in _ENCRYPTED if head.startswith(magic)), None)
    if head.startswith(b"PK\x03\x04") and int.from_bytes(head[_ZIP_FLAGS], "little") & 1:
        found = "an encrypted zip archive"
    if found is not None:
        raise EncryptedFileError(
            f"{name} is {found}, and no key is declared. Nothing of the file was written."
        )


def _begins_json(text: bytes) -> bool:
    """Some line of the beginning opens an object or array; an empty file is any format."""
    lines = [line for line in text.splitlines() if line.strip()]
    return not lines or any(line.lstrip().startswith((b"{", b"[")) for line in lines)

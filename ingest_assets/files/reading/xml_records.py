"""The rows of an XML file, one by one, in bounded memory.

| in the file | in the record |
|---|---|
| `<id>7</id>` | `"id": ["7"]`: a list of what all children of the name hold |
| an attribute `unit="kg"` | `"@unit": "kg"` |
| text beside attributes or children | `"#text": "..."`, its parts one after another |
| `<id/>`, `unit=""`, white space alone, `xsi:nil="true"` | null |
| a name with a prefix, `<a:id>` | `"a:id"`, or `"id"` with `ignore_namespaces` |

Comments and processing instructions are no data. Entities beyond XML's own five are not resolved,
nothing is loaded, and limits hold: `MAX_DEPTH` levels, libxml2's 10 MB a text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from ingest_assets.errors import CorruptFileError, WrongFormatError
from ingest_assets.schema.storable import MAX_DEPTH
from ingest_assets.schema.text import Untyped

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_NIL = _XSI + "nil"
_XML = "http://www.w3.org/XML/1998/namespace"
_ADVICE = re.compile(r",? (use|try) XML_PARSE_HUGE( option)?")
_PIECE_BYTES = 64 * 1024
_NAMES_AT_MOST = 10


@dataclass(frozen=True)
class XmlOptions:
    """`row_tag` None: every child of the root is a row, and all have one name."""

    row_tag: str | None = None
    attribute_prefix: str = "@"
    text_name: str = "#text"
    ignore_namespaces: bool = False


@dataclass
class XmlRows:
    """The rows of one file, to be read once.

    What stands beside them, some names at least, is in `outside` when they have been read;
    `size_bytes` is how much of the file has been.
    """

    pieces: Iterable[bytes]
    name: str
    options: XmlOptions
    tag: str | None = None
    outside: dict[str, None] = field(default_factory=dict)
    size_bytes: int = 0
    _others: dict[str, None] = field(default_factory=dict)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each row as a record.

        Raises:
            CorruptFileError: the file is not well-formed, goes beyond the limits, or declares
                entities.
            WrongFormatError: there is no row where `row_tag` is declared, or the children of the
                root have several names where it is not.
        """
        parser = etree.XMLPullParser(
            ("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
        depth = count = 0
        row: Any = None
        for event, element in self._events(parser):
            if event == "start":
                if not depth:
                    self._refuse_entities(element)
                if row is None and self._is_row(element, depth):
                    row = element
                depth += 1
                if depth > MAX_DEPTH:
                    raise CorruptFileError(
                        f"{self.name} has elements more than {MAX_DEPTH} levels deep, in line "
                        f"{element.sourceline}. Nothing of the file was written."
                    )
                continue
            depth -= 1
            if element is row:
                count += 1
                yield self._record(element)
                row = None
            elif row is None:
                self._note_outside(element)
            if row is None:
                _forget(element)
        if not count and len(self._others) > 1:
            raise WrongFormatError(
                f"{self.name} has no element {self.options.row_tag!r}, which "
                f"format.options.row_tag declares; it has {', '.join(self._others)}. Nothing of "
                "the file was written."
            )

    def _events(self, parser: Any) -> Iterator[tuple[str, Any]]:
        try:
            for piece in self.pieces:
                for start in range(0, len(piece), _PIECE_BYTES):
                    part = piece[start : start + _PIECE_BYTES]
                    self.size_bytes += len(part)
                    parser.feed(part)
                    yield from parser.read_events()
            if self.size_bytes:
                parser.close()
            yield from parser.read_events()
        except etree.XMLSyntaxError as error:
            said = [f"{_plain(e.message)} in line {e.line}" for e in parser.feed_error_log]
            raise CorruptFileError(
                f"{self.name} is not well-formed XML, or goes beyond its limits: "
                f"{said[0] if said else error}. Nothing of the file was written."
            ) from error

    def _refuse_entities(self, root: Any) -> None:
        dtd = root.getroottree().docinfo.internalDTD
        if dtd is not None and any(True for _ in dtd.iterentities()):
            raise CorruptFileError(
                f"{self.name} declares entities of its own, which are never resolved. Nothing of "
                "the file was written. Write it without a DTD."
            )

    def _is_row(self, element: Any, depth: int) -> bool:
        tag = self._qualified(element.tag, element)
        if self.options.row_tag is not None:
            if self.options.row_tag in (tag, etree.QName(element).localname):
                return True
            if len(self._others) < _NAMES_AT_MOST:
                self._others[tag] = None
            return False
        if depth != 1:
            return False
        if self.tag is None:
            self.tag = tag
        if tag != self.tag:
            raise WrongFormatError(
                f"{self.name}: the children of the root element are not all of one name, there are "
                f"{self.tag!r} and {tag!r}. Nothing of the file was written. Set "
                "format.options.row_tag to the name of the elements that are rows."
            )
        return True

    def _record(self, element: Any) -> dict[str, Any]:
        found = self._value(element)
        if type(found) is dict:
            return found
        return {} if found is None else {self.options.text_name: found}

    def _value(self, element: Any) -> Any:
        """A record where there are attributes or children, else the text; None for nothing."""
        record: dict[str, Any] = {}
        for name, value in element.attrib.items():
            if name == _NIL:
                if value.strip() in ("true", "1"):
                    return None
                continue
            key = self.options.attribute_prefix + self._qualified(name, element)
            record[key] = _text(value)
        texts = [element.text]
        for child in element:
            if not isinstance(child.tag, str):
                raise CorruptFileError(
                    f"{self.name} names the entity {child.text!r} in line {child.sourceline}, "
                    "which is not resolved. Nothing of the file was written."
                )
            record.setdefault(self._qualified(child.tag, child), []).append(self._value(child))
            texts.append(child.tail)
        if not record:
            return _text(element.text)
        said = [text.strip() for text in texts if text and not text.isspace()]
        if said:
            record[self.options.text_name] = Untyped(" ".join(said))
        return record

    def _qualified(self, name: str, element: Any) -> str:
        """The name as the file has it: with its prefix, if that counts."""
        if not name.startswith("{"):
            return name
        uri, _, local = name[1:].partition("}")
        if self.options.ignore_namespaces:
            return local
        spaces: Mapping[str | None, str] = element.nsmap
        if name == element.tag:
            prefix = element.prefix
        else:
            prefix = next((p for p, u in spaces.items() if u == uri and p), None)
        if uri == _XML:
            prefix = "xml"
        return f"{prefix}:{local}" if prefix else local

    def _note_outside(self, element: Any) -> None:
        has_text = element.text is not None and not element.text.isspace()
        is_data = has_text or any(not name.startswith(_XSI) for name in element.attrib)
        if is_data and len(self.outside) < _NAMES_AT_MOST:
            self.outside[self._qualified(element.tag, element)] = None


def _plain(message: str) -> str:
    """What libxml2 says, without its advice to whoever calls it."""
    return _ADVICE.sub("", message.strip())


def _text(text: str | None) -> Untyped | None:
    return Untyped(text) if text and not text.isspace() else None


def _forget(element: Any) -> None:
    """The element holds nothing any more, and those before it are gone."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while element.getprevious() is not None:
        del parent[0]

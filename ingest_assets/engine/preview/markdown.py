"""A preview as markdown, for metadata that Dagster's UI shows."""

import re

from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.section import Block, Code, Grid, Said, Section
from ingest_assets.engine.preview.sections import sections

_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def markdown_sections(found: Preview) -> dict[str, str]:
    """The sections by their titles, each as markdown; what files hold is never markup."""
    return {section.title: _section(section) for section in sections(found)}


def _section(section: Section) -> str:
    return "\n\n".join(map(_block, section.blocks))


def _block(block: Block) -> str:
    match block:
        case Said(text):
            return _plain(text)
        case Code(text):
            fence = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
            return f"{fence}\n{text}\n{fence}"
        case Grid():
            lines = [_line(block.columns), "|".join(["", *("---" for _ in block.columns), ""])]
            return "\n".join([*lines, *map(_line, block.rows)])


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_plain, cells))} |"


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))

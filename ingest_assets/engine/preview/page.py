"""A preview as one page of HTML: nothing is loaded from anywhere, and no content is markup."""

from collections.abc import Sequence
from html import escape

from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.section import Block, Code, Grid, Said, Section
from ingest_assets.engine.preview.sections import headline, sections, verdict

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #f5f6f8; --card: #ffffff;
  --line: #dde2ea; --dim: #647084; --good: #14713f; --warn: #8a5a00; --bad: #b3261e;
  --good-bg: #e4f4ea; --warn-bg: #fdf1d8; --bad-bg: #fbe6e4; --code: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --paper: #14181e; --card: #1c2129;
  --line: #323a46; --dim: #98a3b3; --good: #6fd39b; --warn: #f0bf62; --bad: #ff8f86;
  --good-bg: #16321f; --warn-bg: #3a2d10; --bad-bg: #41201d; --code: #252c36; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 22px; margin: 0 0 2px; } h1 + p { margin: 0 0 16px; color: var(--dim);
  overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 18px; margin: 14px 0; }
p { margin: 4px 0; overflow-wrap: anywhere; }
.verdict { border-radius: 8px; padding: 10px 14px; font-weight: 600; }
.verdict.good { background: var(--good-bg); } .verdict.warn { background: var(--warn-bg); }
.verdict.bad { background: var(--bad-bg); }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.dim { color: var(--dim); }
.scroll { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 12px 5px 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; max-width: 30em; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
.number { padding-right: 24px; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
pre { background: var(--code); border-radius: 8px; padding: 10px 14px; overflow-x: auto;
  font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { color: var(--dim); font-size: 13px; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(found: Preview) -> str:
    """The report, whole in one text of HTML; light or dark as the reader's system is."""
    first, *others = sections(found)
    text, tone = verdict(found)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(headline(found))}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>Preview of {escape(found.name)}</h1><p>{escape(headline(found).partition(': ')[2])}",
        f'</p><div class="verdict {tone}">{escape(text)}</div>',
        *(_block(block) for block in first.blocks[1:]),
        *map(_section, others),
        f"<footer>{escape(f'{found.made_at:%Y-%m-%d %H:%M:%S} UTC')}</footer>",
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _section(section: Section) -> str:
    inside = "\n".join(_block(block) for block in section.blocks)
    return f"<section><h2>{escape(section.title)}</h2>\n{inside}</section>"


def _block(block: Block) -> str:
    match block:
        case Said(text, tone):
            return f'<p class="{tone}">{escape(text)}</p>'
        case Code(text):
            return f"<pre>{escape(text)}</pre>"
        case Grid():
            return _grid(block)


def _grid(block: Grid) -> str:
    is_number = [column in block.numbers for column in block.columns]
    head = _cells("th", block.columns, is_number)
    rows = "\n".join(
        f'<tr class="{tone}">{_cells("td", row, is_number)}</tr>'
        for row, tone in zip(block.rows, block.tones, strict=True)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cells(tag: str, texts: Sequence[str], is_number: Sequence[bool]) -> str:
    kinds = [' class="number"' if number else "" for number in is_number]
    return "".join(
        f"<{tag}{kind}>{escape(text)}</{tag}>" for text, kind in zip(texts, kinds, strict=True)
    )

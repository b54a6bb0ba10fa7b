"""The files and rows of the last days as a picture, for the metadata of a materialization.

Dagster plots numbers by partition, which is by file here, and has no other plots. Its UI shows
pictures in Markdown, also those whose address is the picture itself, and Markdown of less than 1000
characters at once (read and tried in 1.13.27); hence the terse SVG.
"""

from collections.abc import Sequence
from urllib.parse import quote

import dagster as dg

from ingest_assets.ledger.volume import DayVolume

_STEP, _HEIGHT, _GAP = 20, 48, 8
_WRITTEN, _NOT_WRITTEN, _ROWS = "#2a7", "#d44", "#46c"


def volume_chart(days: Sequence[DayVolume]) -> dg.MarkdownMetadataValue:
    """A bar a day: above files, those that were not written in red on top; below rows."""
    files, rows = sum(day.files for day in days), sum(day.rows for day in days)
    bad = sum(day.files_not_written for day in days)
    said = f"{files:,} files (green), {bad:,} not written (red), {rows:,} rows (blue)"
    return dg.MetadataValue.md(
        f"{said} in {len(days)} days to {days[-1].day} (UTC)\n\n"
        f"![A bar a day](data:image/svg+xml,{quote(_svg(days), safe=_KEPT)})"
    )


_KEPT = "/:=',;-"
"""What is short and safe in an address in Markdown."""


def _svg(days: Sequence[DayVolume]) -> str:
    files = [((day.files, _WRITTEN), (day.files_not_written, _NOT_WRITTEN)) for day in days]
    rows = [((day.rows, _ROWS),) for day in days]
    paths = {_WRITTEN: "", _NOT_WRITTEN: "", _ROWS: ""}
    for bottom, bars in ((_HEIGHT, files), (2 * _HEIGHT + _GAP, rows)):
        highest = max(sum(size for size, _ in bar) for bar in bars)
        for place, bar in enumerate(bars):
            y = bottom
            for size, colour in bar:
                if size:
                    height = max(_HEIGHT * size // highest, 1)
                    paths[colour] += f"M{_STEP * place + _STEP // 2},{y}v-{height}"
                    y -= height
    drawn = "".join(f"<path stroke='{colour}' d='{path}'/>" for colour, path in paths.items())
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' stroke-width='14' "
        f"width='{_STEP * len(days)}' height='{2 * _HEIGHT + _GAP}'>{drawn}</svg>"
    )

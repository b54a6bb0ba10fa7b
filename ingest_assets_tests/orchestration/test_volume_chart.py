"""The picture of the last days in the metadata of a materialization."""

import xml.etree.ElementTree as ET
from datetime import date, timedelta
from urllib.parse import unquote

from ingest_assets.ledger.volume import DayVolume
from ingest_assets.orchestration.run_report import CHARTED_DAYS
from ingest_assets.orchestration.volume_chart import volume_chart

UI_SHOWS_AT_ONCE = 1000


def _days(files: int, rows: int, bad: int) -> list[DayVolume]:
    first = date(2026, 11, 8)
    return [DayVolume(first + timedelta(days=day), files, rows, bad) for day in range(CHARTED_DAYS)]


def _paths(markdown: str) -> dict[str, str]:
    """The bars of each colour."""
    picture = markdown.partition("data:image/svg+xml,")[2].removesuffix(")")
    assert not set(picture) & set(' <>()#"')
    drawn = ET.fromstring(unquote(picture))
    return {path.attrib["stroke"]: path.attrib["d"] for path in drawn}


def test_the_largest_picture_is_short_enough_to_be_shown_at_once() -> None:
    markdown = volume_chart(_days(10**9, 10**15, 10**9)).value
    assert markdown is not None
    assert len(markdown) < UI_SHOWS_AT_ONCE
    assert [bars.count("M") for bars in _paths(markdown).values()] == [CHARTED_DAYS] * 3


def test_bars_stand_on_each_other_and_days_without_work_have_none() -> None:
    days = _days(0, 0, 0)
    days[-1] = DayVolume(days[-1].day, files=3, rows=7, files_not_written=1)
    markdown = volume_chart(days).value
    assert markdown is not None
    assert markdown.startswith(
        "3 files (green), 1 not written (red), 7 rows (blue) in 14 days to 2026-11-21 (UTC)\n"
    )
    assert list(_paths(markdown).values()) == ["M270,48v-36", "M270,12v-12", "M270,104v-48"]

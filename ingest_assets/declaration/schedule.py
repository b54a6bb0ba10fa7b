"""The `schedule` of a declaration: a cron line and its time zone."""

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from pydantic import field_validator

from ingest_assets.declaration.declared import Declared

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: list[tuple[str, int, int, list[str]]] = [
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
]
_A_LEAP_YEAR = date(2024, 1, 1)
_FOUR_YEARS = 1461
_CRON_PART = re.compile(r"(?:\*|(?P<begin>\w+)(?:-(?P<end>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def _numbers(part: str, first: int, last: int, names: list[str]) -> range | None:
    """What a part of a field stands for; None where it is no part of a cron line."""
    match = _CRON_PART.fullmatch(part)
    if match is None or (match["step"] and match["begin"] and not match["end"]):
        return None
    known = {name: number for number, name in enumerate(names, first)}
    known |= {str(number): number for number in range(first, last + 1)}
    known |= {f"{number:02}": number for number in range(first, last + 1)}
    begin = known.get(match["begin"], -1) if match["begin"] else first
    end = begin if match["begin"] else last
    if match["end"]:
        end = known.get(match["end"], -1)
    return range(begin, end + 1, int(match["step"] or 1)) if 0 <= begin <= end else None


class Schedule(Declared):
    """A cron trigger in place of the sensor's own interval."""

    cron: str
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"{value!r} is not a time zone; write a name such as Europe/Berlin"
            ) from error
        return value

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError(f"{value!r} is not a cron line of five fields, as in 0 2 * * *")
        for text, (unit, first, last, names) in zip(value.split(), _CRON_FIELDS, strict=True):
            parts = text.lower().split(",")
            if any(_numbers(part, first, last, names) is None for part in parts):
                raise ValueError(
                    f"{text!r} is not the {unit} of a cron line: write * or numbers from {first} "
                    f"to {last}, as in {first}-{last} or */2"
                )
        return value

    @property
    def firings_a_day(self) -> float:
        """How often it starts something, of an average day in four years.

        As cron has it: where both days are given, either is enough.
        """
        texts = self.cron.lower().split()
        minutes, hours, days, months, weekdays = (
            {n for part in text.split(",") for n in _numbers(part, first, last, names) or ()}
            for text, (_, first, last, names) in zip(texts, _CRON_FIELDS, strict=True)
        )
        either = not texts[2].startswith("*") and not texts[4].startswith("*")
        count = 0
        for number in range(_FOUR_YEARS):
            day = _A_LEAP_YEAR + timedelta(days=number)
            is_day = day.day in days
            is_weekday = not weekdays.isdisjoint({day.isoweekday() % 7, day.isoweekday()})
            fits = is_day or is_weekday if either else is_day and is_weekday
            count += day.month in months and fits
        return len(minutes) * len(hours) * count / _FOUR_YEARS

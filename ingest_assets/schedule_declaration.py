"""The `schedule` of a declaration: a cron line and its time zone."""

import re
from zoneinfo import ZoneInfo

from pydantic import field_validator

from ingest_assets.declared import Declared

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: list[tuple[str, int, int, list[str]]] = [
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
]
_CRON_PART = re.compile(r"(?:\*|(?P<begin>\w+)(?:-(?P<end>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def _is_cron_part(part: str, first: int, last: int, names: list[str]) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None or (match["step"] and match["begin"] and not match["end"]):
        return False
    known = {name: number for number, name in enumerate(names, first)}
    known |= {str(number): number for number in range(first, last + 1)}
    known |= {f"{number:02}": number for number in range(first, last + 1)}
    limits = [text for text in (match["begin"], match["end"]) if text is not None]
    numbers = [known.get(text, -1) for text in limits]
    return all(number >= 0 for number in numbers) and numbers == sorted(numbers)


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
            if not all(_is_cron_part(part, first, last, names) for part in text.lower().split(",")):
                raise ValueError(
                    f"{text!r} is not the {unit} of a cron line: write * or numbers from {first} "
                    f"to {last}, as in {first}-{last} or */2"
                )
        return value

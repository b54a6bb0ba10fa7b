"""Ages as people write them: `90s`, `15m`, `1.5h`, `2d`, `1w`."""

import re
from datetime import timedelta

_AGE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """The age that is written.

    Raises:
        ValueError: it is none; says what would be right.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no age; write 90s, 15m, 12h, 2d or 1w")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})

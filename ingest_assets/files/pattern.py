"""Glob patterns on relative keys: `*` stays inside a folder, `**` crosses them, `{a,b}` chooses.

The dialect is that of bash with globstar, so `**/*.json` also matches at the root; files whose
names begin with a dot are like any other.
"""

import re
from collections.abc import Callable

from wcmatch import glob

# wcmatch 12.0 raises it and exports it nowhere else.
from wcmatch._wcparse import PatternLimitException

_DIALECT = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX
_DOTS = re.compile(r"(?:^|(?<=/))\.\.?(?=/|\Z)")
"""In a glob `.` and `..` are folders, which no star stands for; in a key they are plain names."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a relative key matches `pattern`.

    Raises:
        ValueError: the braces stand for more patterns than can be looked at.
    """
    try:
        compiled = glob.compile(pattern, flags=_DIALECT)
    except PatternLimitException as error:
        raise ValueError(f"{pattern!r} stands for too many patterns; write a wider one") from error

    def matches(key: str) -> bool:
        return bool(compiled.match(key)) or bool(compiled.match(_DOTS.sub("\x01", key)))

    return matches


def exactly(key: str) -> str:
    """The pattern that this one relative key matches, and no other."""
    return str(glob.escape(key))

"""Partition keys: an object's relative key, made into one that Dagster accepts, and back.

What Dagster forbids in a partition key (control characters and `...`, which it reads as a range)
and the percent sign itself are percent-encoded, as UTF-8 bytes in upper-case hexadecimal. Any other
character stands for itself, so that people recognise their files.
"""

import re
from urllib.parse import unquote

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f%]|\.{3,}")


def partition_key_of(key: str) -> str:
    """The partition key of a relative object key; another key never has the same one."""
    return _FORBIDDEN.sub(lambda match: "".join(f"%{ord(char):02X}" for char in match[0]), key)


def key_of(partition_key: str) -> str:
    """The relative object key of a partition key that `partition_key_of` gave."""
    return unquote(partition_key, errors="strict")

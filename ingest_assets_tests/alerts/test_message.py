"""Names and errors of files in a message: on one line, whatever somebody called a file."""

import pytest

from ingest_assets.alerts.message import clipped, shown


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a b/\u65e5\u672c\u3000\u00fc.jsonl", "a b/\u65e5\u672c\u3000\u00fc.jsonl"),
        ("a\r\nBcc: b", r"a\r\nBcc: b"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("\u202egpj.exe\x7f\x1b[31m", r"\u202egpj.exe\x7f\x1b[31m"),
        ("\uffff", r"\uffff"),
        ("k" * 1000, "k" * 200 + "\u2026"),
    ],
)
def test_a_name_stays_on_its_line(name: str, said: str) -> None:
    assert shown([name, "b"]) == f"{said}, b"


def test_an_error_is_one_line_of_what_can_be_printed() -> None:
    assert clipped("it holds\n  \x01\x1b[31m") == r"it holds \x01\x1b[31m"
    assert clipped("see postgresql://me:s3cret@host/db") == "see postgresql://me:***@host/db"
    assert len(clipped("x" * 9000)) == 401

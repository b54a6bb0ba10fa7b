"""Polluted CSV files from landing to table: rows, rejected rows and dead letters."""

from ingest_assets_tests.end_to_end.workshop import Workshop
from ingest_assets_tests.files.reading.polluted_csv import CLEAN, ROWS
from ingest_assets_tests.files.reading.polluted_kinds import kinds

_KINDS = {file.name: file for file in kinds()}
_RIGHT = [
    "lines that end with CR",
    "3 lines of a title and a blank one",
    "delimiter ', ', all quoted",
]
_REJECTED = {
    "no delimiter before field 4 in the middle row, all quoted": 43,
    "the same table again right below": 86,
}
_REFUSED = {
    "a header row of units": "WrongFormatError",
    "a table of as many columns below a blank line": "WrongFormatError",
    "5 fields in the header, all quoted": "WrongFormatError",
    "a quote before field 8 of the last row, quoted where needed": "UnterminatedQuoteError",
    "a table of more columns right below": None,
}


def _key(name: str) -> str:
    return name.replace(" ", "-").replace("'", "").replace(",", "") + ".csv"


def _put(workshop: Workshop, *names: str) -> None:
    workshop.put("0.csv", CLEAN.data)
    for name in names:
        workshop.put(_key(name), _KINDS[name].data)


def test_what_can_be_told_of_a_polluted_file_needs_no_declaration(workshop: Workshop) -> None:
    _put(workshop, *_RIGHT)
    assert workshop.ingest(format={"type": "csv"}).is_all_well
    rows = workshop.rows()
    assert len(rows) == 4 * len(ROWS)
    assert (
        len({(row["day"], row["product"], row["price"], row["comment"] or "") for row in rows})
        == 84
    )
    assert {row["_rescued_data"] for row in rows} == {None}
    held = workshop.files()[_key("3 lines of a title and a blank one")]
    assert (held.rows, held.rejected) == (84, 0)


def test_what_is_wrong_with_one_line_costs_that_line_and_says_so(workshop: Workshop) -> None:
    _put(workshop, *_REJECTED)
    assert workshop.ingest(format={"type": "csv"}).is_all_well
    found = {r["_source_file"].split("/")[-1]: r for r in workshop.rows("raw.orders__rejected")}
    for name, line in _REJECTED.items():
        rejected = found[_key(name)]
        assert (rejected["_source_row"], rejected["raw"]) == (line, _KINDS[name].lines[line - 1])
        assert rejected["reason"] in ("8 fields, expected 9", "the header again")
    assert len(workshop.rows()) == 84 + 83 + 90


def test_what_cannot_be_told_refuses_its_file_and_no_other(workshop: Workshop) -> None:
    _put(workshop, *_REFUSED)
    workshop.ingest(format={"type": "csv"})
    files = workshop.files()
    assert files["0.csv"].status == "SUCCESS"
    for name, error_type in _REFUSED.items():
        file = files[_key(name)]
        if error_type is None:
            assert (file.status, file.rows, file.rejected) == ("SUCCESS", 84, 7)
            continue
        assert (file.status, file.error_type) == ("DEAD_LETTER", error_type), name
        assert "line " in (file.error or "")
        assert "format.options." in (file.error or "")


def test_a_declared_option_mends_what_was_refused(workshop: Workshop) -> None:
    workshop.put("a.csv", _KINDS["a header row of units"].data)
    declared = {"type": "csv", "options": {"header": 2}}
    assert workshop.ingest(format=declared).is_all_well
    rows = workshop.rows()
    assert len(rows) == len(ROWS)
    assert rows[0]["price_eur"] == float(ROWS[0][4])

"""Many small files are read together, and each of them is still judged by itself."""

from typing import Any

from ingest_assets_tests.end_to_end.sample_orders import cut_gzip, json_lines, orders
from ingest_assets_tests.end_to_end.workshop import Workshop

FILES = 150


def put_many(workshop: Workshop, **odd: bytes) -> dict[str, list[int]]:
    """Files of one to three orders each; `odd` replaces the file of that key. The good ids."""
    ids = {}
    for number in range(FILES):
        key = f"f{number:03d}"
        rows = orders(number * 10, 1 + number % 3)
        workshop.put(key, odd.get(key, json_lines(rows)))
        if key not in odd:
            ids[key] = [row["order_id"] for row in rows]
    return ids


def origins(workshop: Workshop) -> dict[str, list[tuple[int, int]]]:
    """Of each file its rows' `_source_row` and `order_id`."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in workshop.rows():
        key = row["_source_file"].rsplit("/", 1)[-1]
        found.setdefault(key, []).append((row["_source_row"], row["order_id"]))
    return {key: sorted(rows) for key, rows in found.items()}


def lines(ids: dict[str, list[int]]) -> dict[str, list[tuple[int, int]]]:
    return {key: list(enumerate(of_file, 1)) for key, of_file in ids.items()}


def test_every_row_names_its_own_file_and_line(workshop: Workshop) -> None:
    ids = put_many(workshop)
    assert workshop.ingest().counts == {"SUCCESS": FILES}
    assert origins(workshop) == lines(ids)
    files = workshop.files()
    by_file: dict[str, set[Any]] = {}
    for row in workshop.rows():
        by_file.setdefault(row["_source_file"], set()).add((row["_file_id"], row["_content_id"]))
    assert all(len(numbers) == 1 for numbers in by_file.values())
    assert len({numbers for (numbers,) in by_file.values()}) == FILES
    assert {key: file.rows for key, file in files.items()} == {k: len(v) for k, v in ids.items()}


def test_odd_ones_among_them_keep_their_own_outcomes(workshop: Workshop) -> None:
    ids = put_many(
        workshop,
        f040=cut_gzip(orders(5000, 400)),
        f041=b"",
        f070=json_lines(orders(7000, 1, coupon="X")),
        f100=json_lines(orders(8000, 1, amount="not a number")) + json_lines(orders(8001, 20)),
        f120=json_lines(orders(9000, 20)) + b"{broken\n",
    )
    result = workshop.ingest()
    assert result.counts == {"DEAD_LETTER": 1, "SUCCESS": FILES - 1}
    ids |= {"f070": [7000], "f100": [*range(8000, 8021)], "f120": [*range(9000, 9020)]}
    assert origins(workshop) == lines(ids)
    files = workshop.files()
    assert files["f040"].error_type == "CorruptFileError"
    assert (files["f041"].status, files["f041"].rows) == ("SUCCESS", 0)
    assert (files["f100"].rescued, files["f120"].rejected) == (1, 1)
    assert [row["coupon"] for row in workshop.rows() if row["order_id"] == 7000] == ["X"]
    versions = {key: file.schema_version for key, file in files.items()}
    assert (versions["f069"], versions["f070"], versions["f149"]) == (1, 2, 2)

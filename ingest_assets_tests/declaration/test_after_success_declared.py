"""What `source.after_success` may say, and where it may move files to."""

from pathlib import Path
from typing import Any

import pytest

from ingest_assets.declaration.declarations import read_declarations
from ingest_assets.ingestion import problems_of
from ingest_assets_tests.end_to_end.workshop import attributes, declare


def _problems(uri: str, rules: object) -> list[str]:
    source = {"uri": uri, "after_success": rules}
    return problems_of("defs.yaml", attributes("landing", source=source))[1]


@pytest.mark.parametrize(
    ("uri", "rules"),
    [
        ("s3://landing/orders/", {"action": "keep"}),
        ("s3://landing/orders/", {"action": "tag", "after_days": 1}),
        ("s3://landing/orders/", {"action": "move", "to": "s3://archive", "after_days": 30}),
        ("s3://landing/orders/", {"action": "delete"}),
        ("file:///landing/orders/", {"action": "move", "to": "file:///landing/done"}),
        ("file:///landing/orders/", {"action": "delete"}),
        ("gs://landing/orders/", {"action": "keep"}),
    ],
)
def test_what_works_is_accepted(uri: str, rules: object) -> None:
    assert _problems(uri, rules) == []


@pytest.mark.parametrize(
    ("uri", "rules", "problem"),
    [
        ("s3://b/o/", "delete", ": input should be a valid dictionary"),
        ("s3://b/o/", {"action": "burn"}, ".action: input should be 'keep', 'tag', 'move' or"),
        ("s3://b/o/", {"action": "keep", "after_days": 3}, ": after_days needs an action"),
        ("s3://b/o/", {"action": "delete", "after_days": -1}, ".after_days: input should be"),
        ("s3://b/o/", {"action": "move"}, ": move needs `to`"),
        ("s3://b/o/", {"action": "move", "to": "done/"}, ".to: 'done/' is not an address"),
        ("s3://b/o/", {"action": "delete", "to": "s3://b/done/"}, ": `to` goes with the action"),
    ],
)
def test_what_does_not_hold_is_refused_with_its_field(uri: str, rules: Any, problem: str) -> None:
    (found,) = _problems(uri, rules)
    assert found.startswith(f"defs.yaml: attributes.source.after_success{problem}")


@pytest.mark.parametrize(
    ("uri", "rules", "problem"),
    [
        ("s3://b/o/", {"action": "move", "to": "file:///done/"}, "is in another kind of store"),
        ("file:///o/", {"action": "tag"}, "files have no tags"),
        ("gs://b/o/", {"action": "delete"}, "delete is not available yet for gs://"),
        ("az://b/o/", {"action": "move", "to": "az://b/d/"}, "move is not available yet for az"),
    ],
)
def test_what_the_store_cannot_do_is_refused(uri: str, rules: Any, problem: str) -> None:
    (found,) = _problems(uri, rules)
    assert problem in found


def _move(
    folder: Path, to: str, uri: str = "s3://landing/orders/", name: str = "orders", **more: Any
) -> None:
    rules = {"action": "move", "to": to}
    source = {"uri": uri, "after_success": rules}
    declare(folder, attributes("landing", name, source=source, **more))


@pytest.mark.parametrize(
    "to",
    [
        "s3://landing/orders/",
        "s3://landing/orders/done/",
        "s3://landing/",
        "s3://landing/copies/2026",
    ],
)
def test_files_are_moved_nowhere_that_an_ingestion_looks(tmp_path: Path, to: str) -> None:
    _move(tmp_path, to)
    declare(tmp_path, attributes("landing", "copies"))
    problems = read_declarations(tmp_path)[1]
    assert problems
    for problem in problems:
        begin = f"orders/defs.yaml: attributes.source.after_success.to: '{to}' overlaps with s3://"
        assert problem.startswith(begin)
        assert problem.endswith("Name a place beside it")


def test_a_local_folder_is_known_however_it_is_written(tmp_path: Path) -> None:
    _move(tmp_path, "file:///srv//landing/orders/done/", uri="file:///srv/landing//orders")
    (problem,) = read_declarations(tmp_path)[1]
    assert "overlaps with file:///srv/landing/orders/" in problem


@pytest.mark.parametrize("to", ["s3://landing/orders-done/", "s3://archive/orders/"])
def test_a_place_beside_the_sources_is_accepted(tmp_path: Path, to: str) -> None:
    _move(tmp_path, to)
    declare(tmp_path, attributes("landing", "copies"))
    assert read_declarations(tmp_path)[1] == []


@pytest.mark.parametrize("whose", ["orders", "copies"])
@pytest.mark.parametrize(
    ("to", "is_refused"),
    [
        ("s3://dead/kept/{whose}", True),
        ("s3://dead/kept/{whose}/done/", True),
        ("s3://dead/kept/", True),
        ("s3://dead/kept/done/", False),
        ("s3://dead/kept/{whose}-done/", False),
    ],
)
def test_files_are_moved_nowhere_that_dead_letters_go(
    tmp_path: Path, whose: str, to: str, is_refused: bool
) -> None:
    dead = {"dead_letter": {"uri": "s3://dead/kept"}}
    _move(tmp_path, to.format(whose=whose), **(dead if whose == "orders" else {}))
    declare(tmp_path, attributes("landing", "copies", **(dead if whose == "copies" else {})))
    problems = read_declarations(tmp_path)[1]
    assert len(problems) == is_refused
    for problem in problems:
        assert "after_success.to: 's3://dead/kept/" in problem
        assert f"overlaps with s3://dead/kept/{whose}/, where the dead letters of" in problem


def test_a_local_folder_of_dead_letters_is_known_however_it_is_written(tmp_path: Path) -> None:
    dead = {"dead_letter": {"uri": "file:///srv/dead/"}}
    _move(tmp_path, "file:///srv//dead/orders", uri="file:///srv/landing/", **dead)
    (problem,) = read_declarations(tmp_path)[1]
    assert "overlaps with file:///srv/dead/orders/, where the dead letters of 'orders'" in problem


@pytest.mark.parametrize(
    ("uri", "to", "is_refused"),
    [
        ("s3://landing/returns/", "s3://archive/done/", True),
        ("s3://landing/returns/", "s3://archive/done/returns/", True),
        ("s3://landing/returns/", "s3://archive/", True),
        ("s3://landing/returns/", "s3://archive/returns/", False),
        ("s3://landing/orders/", "s3://archive/done/", False),
        ("s3://landing/orders/eu/", "s3://archive/done/eu/", False),
        ("s3://landing/orders/eu/", "s3://archive/done/us/", True),
        ("s3://landing/", "s3://archive/done/", True),
    ],
)
def test_two_objects_have_no_common_place_to_move_to(
    tmp_path: Path, uri: str, to: str, is_refused: bool
) -> None:
    _move(tmp_path, "s3://archive/done/")
    _move(tmp_path, to, uri=uri, name="returns")
    problems = read_declarations(tmp_path)[1]
    assert len(problems) == is_refused
    for problem in problems:
        begin = f"returns/defs.yaml: attributes.source.after_success.to: '{to}' overlaps with s3://"
        assert problem.startswith(begin)
        assert "where 'orders' (orders/defs.yaml) moves other files" in problem


def test_the_same_address_over_another_connection_is_another_object(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text("vendor: {region: eu-central-1}\n")
    _move(tmp_path, "s3://archive/done/")
    rules = {"action": "move", "to": "s3://archive/done/"}
    source = {"uri": "s3://landing/orders/", "connection": "vendor", "after_success": rules}
    declare(tmp_path, attributes("landing", "vendors", source=source))
    (problem,) = read_declarations(tmp_path)[1]
    assert "moves other files" in problem

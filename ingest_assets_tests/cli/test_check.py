"""`ingest-assets check`: every problem at once, or what holds."""

from collections.abc import Callable
from pathlib import Path

from ingest_assets_tests.cli.conftest import Cli
from ingest_assets_tests.end_to_end.workshop import attributes, declare

Put = Callable[[str, bytes], None]


def test_sound_declarations_are_listed(run_cli: Cli, defs: Path) -> None:
    declare(defs, attributes("landing"))
    declare(defs, attributes("landing", "returns"))
    result = run_cli("check")
    assert result.exit_code == 0
    assert result.stdout == (
        "orders: s3://landing/orders/ -> raw.orders\n"
        "returns: s3://landing/returns/ -> raw.returns\n"
        f"2 declarations hold in {defs}\n"
    )


def test_all_problems_of_all_files_are_printed_at_once(run_cli: Cli, defs: Path) -> None:
    declare(defs, attributes("landing", "orders", batch={"max_files": 0}, colour="red"))
    declare(defs, attributes("landing", "returns", source={"connection": "nowhere"}))
    declare(defs, attributes("landing", "refunds", table={"identifier": "raw.returns"}))
    (defs / "odd").mkdir()
    (defs / "odd" / "defs.yaml").write_text("type: [")
    result = run_cli("check")
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    for expected in (
        "orders/defs.yaml: attributes.colour: is not a field here",
        "orders/defs.yaml: attributes.batch.max_files: ",
        "returns/defs.yaml: attributes.source.connection: 'nowhere' is not in connections.yaml",
        "returns/defs.yaml: attributes.table.identifier: 'raw.returns' is declared by "
        "refunds/defs.yaml already",
        "odd/defs.yaml: is not YAML: ",
    ):
        assert [line for line in lines if line.startswith(expected)], (expected, lines)
    assert lines[-1] == f"5 problems in {defs}"


def test_a_folder_can_be_named(run_cli: Cli, tmp_path: Path) -> None:
    result = run_cli("check", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert "is not a folder" in result.stderr


def test_an_empty_folder_is_no_problem(run_cli: Cli, defs: Path) -> None:
    result = run_cli("check")
    assert (result.exit_code, result.stdout) == (0, f"0 declarations hold in {defs}\n")


def test_connect_asks_each_source(working_cli: Cli, defs: Path, put: Put) -> None:
    put("a.jsonl", b"{}")
    result = working_cli("check", "--connect")
    assert (result.exit_code, result.stderr) == (0, "")
    declare(defs, attributes("there-is-none", "returns"))
    result = working_cli("check", "--connect")
    assert result.exit_code == 1
    assert "returns/defs.yaml: attributes.source: s3://there-is-none/returns/" in result.stderr
    assert "1 problem in" in result.stderr


def test_connect_warns_of_a_prefix_with_nothing_to_ingest(
    working_cli: Cli, defs: Path, bucket: str, put: Put
) -> None:
    result = working_cli("check", "--connect")
    assert (result.exit_code, result.stdout.count("1 declaration holds")) == (0, 1)
    warning = "Warning: orders/defs.yaml: attributes.source."
    assert result.stderr == f"{warning}uri: nothing is under s3://{bucket}/orders/ yet\n"
    put("2026/", b"")  # a folder marker
    assert "nothing is under" in working_cli("check", "--connect").stderr
    for key in ("2026/a.jsonl.gz", "2026/b.jsonl.gz"):
        put(key, b"{}")
    declare(defs, attributes(bucket, source={"pattern": "*.json"}))
    result = working_cli("check", "--connect")
    assert result.exit_code == 0
    assert result.stderr == (
        f"{warning}pattern: '*.json' matches none of the 2 files that were looked at under "
        f"s3://{bucket}/orders/, such as '2026/a.jsonl.gz'\n"
    )

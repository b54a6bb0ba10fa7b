"""The program itself: help, version, unknown commands, and errors without tracebacks."""

import sys

import pytest

from ingest_assets.cli import main as program
from ingest_assets_tests.cli.conftest import Cli

COMMANDS = ("alerts", "check", "config", "demo", "dev", "files", "run")


def test_help_lists_every_command_and_the_exit_codes(run_cli: Cli) -> None:
    for option in ("--help", "-h"):
        result = run_cli(option)
        assert result.exit_code == 0
        for name in COMMANDS:
            assert f"  {name} " in result.output
        assert "Exit codes: 0 all is well" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(run_cli: Cli, name: str) -> None:
    result = run_cli(name, "-h")
    assert result.exit_code == 0
    assert f"Usage: cli {name}" in result.output


def test_the_version_is_the_packages(run_cli: Cli) -> None:
    result = run_cli("--version")
    assert result.exit_code == 0
    assert "version 0." in result.output


def test_an_unknown_command_is_refused(run_cli: Cli) -> None:
    result = run_cli("ingest")
    assert result.exit_code == 2
    assert "No such command 'ingest'" in result.output


@pytest.mark.parametrize(
    ("arguments", "beginning", "known"),
    [
        (["run", "oders"], "UnknownIngestionError: No ingestion is called 'oders' in ", "orders"),
        (["files", "oders"], "UnknownIngestionError: No ingestion is called ", "are: orders."),
        (["files", "orders", "--key", "a"], "UnknownFileError: orders knows no file 'a': ", "it."),
    ],
)
def test_an_unknown_name_ends_with_2_and_one_line(
    arguments: list[str],
    beginning: str,
    known: str,
    working_cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["ingest-assets", *arguments])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(beginning)
    assert known in said.err
    assert said.err.count("\n") == 1

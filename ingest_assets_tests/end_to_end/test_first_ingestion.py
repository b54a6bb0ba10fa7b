"""docs/first-ingestion.md, done as it is written, by somebody who types every command."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_assets_tests.alerts.receivers import HttpReceiver
from ingest_assets_tests.end_to_end.dagster_dev import ROOT, free_port
from ingest_assets_tests.end_to_end.dagster_ui import DagsterUI
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders
from ingest_assets_tests.end_to_end.waiting import wait_for

pytestmark = pytest.mark.slow

_DEV = ".venv/bin/ingest-assets dev\n"
_NOT_HERE = "make setup\n"


def _sections() -> list[str]:
    """The code of each section as commands; a file is saved where its first line says."""
    page = (ROOT / "docs/first-ingestion.md").read_text()
    sections = []
    for section in page.split("\n## ")[1:]:
        commands = []
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", section, re.M | re.S):
            path = block.split("\n")[0].removeprefix("# ")
            saved = f"cat >{path} <<'YAML'\n{block}YAML\n"
            commands.append(saved if language == "yaml" else block)
        sections.append("".join(commands))
    return [commands for commands in sections if commands and commands != _NOT_HERE]


class Terminal:
    """One shell for the whole page, so that what is exported stays."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.env = folder, env
        self.exported = ""

    def __call__(self, commands: str) -> str:
        """What the commands say; none of them may fail."""
        done = subprocess.run(
            ["sh", "-eu", "-c", self.exported + commands],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        self.exported += "".join(re.findall(r"^export .*\n", commands, re.M))
        return done.stdout


@pytest.fixture
def web() -> Iterator[HttpReceiver]:
    """A running web server."""
    with HttpReceiver() as receiver:
        yield receiver


def test_a_reader_who_never_saw_dagster_comes_to_its_end(
    tmp_path: Path, s3: Any, bucket: str, web: HttpReceiver
) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    s3.put(bucket, "orders/2026/11/21/a.jsonl", json_lines(orders(1)))
    s3.put(bucket, "orders/2026/11/22/b.jsonl", json_lines(orders(11)))
    terminal = Terminal(tmp_path, {"PATH": os.defpath, "HOME": str(tmp_path), **s3.env()})
    sections = [
        section.replace("my-bucket", bucket)
        .replace("https://example.com/hook", web.url)
        .replace("0 2 * * *", "* * * * *")  # the night of a test is a minute
        for section in _sections()
    ]
    folder, preview, declare, ingest, check, schedule = sections
    terminal(folder)
    assert "order_id" in terminal(preview)
    assert not (tmp_path / ".ingest").exists()
    assert "type: ingest_assets.components.S3ToIceberg" in terminal(declare)
    said = terminal(ingest)
    assert "orders: 2 SUCCESS; 6 rows" in said
    assert len(re.findall(r"SUCCESS", said)) >= 3
    said = terminal(check)
    assert "exit code 3" in said
    assert re.search(r"bad\.jsonl.*DEAD_LETTER|DEAD_LETTER.*bad\.jsonl", said), said
    assert "not_null" in said
    assert "orders: 1 SUCCESS; 2 rows" in said
    assert web.contents[0]["kind"] == "test"
    assert any("bad.jsonl" in str(content) for content in web.contents[1:])
    assert schedule.endswith(_DEV)
    terminal(schedule.removesuffix(_DEV))
    s3.put(bucket, "orders/2026/11/23/c.jsonl", json_lines(orders(21)))
    _let_it_run_by_itself(terminal)


def _let_it_run_by_itself(terminal: Terminal) -> None:
    """The schedule that is switched on in the UI has read the third file."""
    process = subprocess.Popen(
        ["sh", "-c", f"{terminal.exported}exec {_DEV.strip()} --port {free_port()}"],
        cwd=terminal.folder,
        env=terminal.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline() + process.stdout.readline()
        address = re.search(r"http://\S+", said)
        assert address is not None, said
        ui = DagsterUI(address[0])
        ui.start_schedule("orders")
        key = "2026/11/23/c.jsonl"
        wait_for("green", lambda: key in ui.partitions("orders")["green"], seconds=150)
        assert ui.checks("orders", "not_null_order_id")[key]["status"] == "SUCCEEDED"
    finally:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=90)
    assert process.returncode == 0, stderr

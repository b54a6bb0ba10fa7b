"""The README's first ingestion, done as it is written."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ingest_assets_tests.end_to_end.dagster_dev import ROOT
from ingest_assets_tests.end_to_end.sample_orders import json_lines, orders


def _commands(bucket: str) -> str:
    """The code blocks of the section in order; a declaration is saved where the text says."""
    section = (ROOT / "README.md").read_text().split("## Your first ingestion")[1]
    section = section.split("\n## ")[0].replace("my-bucket", bucket)
    commands = []
    for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", section, re.M | re.S):
        code = textwrap.dedent(block)
        if language == "yaml":
            code = f"cat >my_ingestions/orders/defs.yaml <<'YAML'\n{code}YAML\n"
        commands.append(code)
    return "".join(commands)


@pytest.mark.slow
def test_a_stranger_who_follows_it_sees_the_rows(tmp_path: Path, s3: Any, bucket: str) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    s3.put(bucket, "orders/2026/11/21/a.jsonl", json_lines(orders(4711)))
    done = subprocess.run(
        ["sh", "-eu", "-c", _commands(bucket)],
        cwd=tmp_path,
        env={"PATH": os.defpath, "HOME": str(tmp_path), **s3.env()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "orders: 1 SUCCESS; 3 rows" in done.stdout
    assert re.search(r"│ +4711 │", done.stdout), done.stdout

"""The command line as a user starts it: a subprocess with an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyiceberg.catalog import load_catalog

from ingest_assets_tests.end_to_end.workshop import attributes, declare

PROGRAM = Path(sys.executable).parent / "ingest-assets"
COMMAND_SECONDS = 120


class Product:
    """One INGEST_HOME with its declarations, and the environment that goes with it."""

    def __init__(self, folder: Path, s3: Any, bucket: str, **env: str) -> None:
        self.home = folder / "home"
        self.defs = folder / "defs"
        self.defs.mkdir(parents=True)
        self.s3 = s3
        self.bucket = bucket
        self.env = {
            "PATH": f"{PROGRAM.parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(folder / "nobody"),
            "INGEST_HOME": str(self.home),
            "INGEST_DEFS": str(self.defs),
            **s3.env(),
            **env,
        }

    def declare(self, name: str = "orders", **changes: Any) -> Path:
        """The declaration of `workshop.attributes` is among this home's."""
        return declare(self.defs, attributes(self.bucket, name, **changes))

    def put(self, key: str, body: bytes, name: str = "orders") -> None:
        """The object is in the source."""
        self.s3.put(self.bucket, f"{name}/{key}", body)

    def __call__(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """The finished command, with its output as text."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            env={**self.env, **(env or {})},
            cwd=self.defs.parent,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command, running; the caller waits for its end."""
        return subprocess.Popen(
            [str(PROGRAM), *arguments],
            env=self.env,
            cwd=self.defs.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def table_rows(self, identifier: str) -> int:
        """How many rows plain PyIceberg finds, told of the catalog by `config --json` alone."""
        catalog = self.json("config")["catalog"]
        table = load_catalog(catalog["name"], **catalog["properties"]).load_table(identifier)
        return int(table.scan().to_arrow().num_rows)

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        """What a command with `--json` printed, which is nothing else."""
        done = self(*arguments, "--json")
        assert done.returncode == exit_code, (done.stdout, done.stderr)
        return json.loads(done.stdout)

"""The Dagster home of a deployment, and what several processes find that come at once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ingest_assets.orchestration.instance import INSTANCE_FILE, prepare_home
from ingest_assets.settings import Settings


def test_the_instance_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_env({"INGEST_HOME": str(tmp_path)})
    seen: list[bool] = []

    def slow_copy(source: Path, target: Path, copy: Any = shutil.copyfile) -> None:
        target.touch()
        seen.append((settings.dagster_home / "dagster.yaml").exists())
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow_copy)
    home = prepare_home(settings)
    assert seen == [False]
    assert [file.name for file in home.iterdir()] == ["dagster.yaml"]
    assert (home / "dagster.yaml").read_text() == INSTANCE_FILE.read_text()


def test_an_instance_file_of_the_user_stays(tmp_path: Path) -> None:
    settings = Settings.from_env({"INGEST_HOME": str(tmp_path)})
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    home = prepare_home(settings)
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"

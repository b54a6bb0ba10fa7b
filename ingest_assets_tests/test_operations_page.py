"""docs/operations.md has a section for each state and each alert: meaning, leavings, cure."""

from pathlib import Path

import pytest
import yaml

import ingest_assets
from ingest_assets.ledger.states import AlertKind, FileStatus

_PACKAGE = Path(ingest_assets.__file__).parent
_RULES = yaml.safe_load((_PACKAGE / "metrics" / "prometheus-rules.yaml").read_text())
_ALERTS = [rule["alert"] for group in _RULES["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", [*FileStatus, *AlertKind, *_ALERTS])
def test_each_state_and_alert_has_its_section(name: str) -> None:
    page = (_PACKAGE.parent / "docs" / "operations.md").read_text()
    section = page.partition(f"\n### {name}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    for part in ("Means", "Left behind", "Run"):
        assert f"- **{part}**: " in section, f"{name} lacks {part}"

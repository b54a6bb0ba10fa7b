"""Declarations of many ingestions that differ in their names alone."""

from pathlib import Path

import yaml

BUCKET = "landing"
COMPONENT_TYPE = "ingest_assets.components.S3ToIceberg"


def declared(folder: Path, count: int) -> Path:
    """The folder has so many declarations, `feed_0000` and on."""
    for number in range(count):
        declare(folder, number)
    return folder


def declare(folder: Path, number: int, connection: str = "default") -> None:
    """The declaration of one ingestion is in the folder."""
    name = f"feed_{number:04}"
    attributes = {
        "name": name,
        "description": f"Orders of shop {number}, one file an hour.",
        "owners": ["team:shops"],
        "source": {
            "uri": f"s3://{BUCKET}/{name}/",
            "connection": connection,
            "discovery": {"interval_seconds": 2 if number == 0 else 30},
        },
        "format": {"type": "json"},
        "table": {"identifier": f"raw.{name}"},
    }
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"type": COMPONENT_TYPE, "attributes": attributes}))

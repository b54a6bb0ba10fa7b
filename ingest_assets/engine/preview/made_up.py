"""A declaration made up from an address, with defaults, and the text that says the same."""

from collections.abc import Mapping
from typing import Any

import yaml

from ingest_assets.declaration.declarations import COMPONENT_TYPE
from ingest_assets.errors import DeclarationError
from ingest_assets.ingestion import Ingestion, problems_of
from ingest_assets.schema.names import column_name

_NAME_AT_MOST = 60


def made_up_ingestion(
    uri: str,
    *,
    connection: str = "default",
    pattern: str | None = None,
    format_type: str | None = None,
    options: Mapping[str, Any] | None = None,
    table: str | None = None,
    name: str | None = None,
) -> Ingestion:
    """The ingestion that `uri` alone makes; its format is json until it is detected.

    Raises:
        DeclarationError: an argument does not hold; says which and what would be right.
    """
    name = name or name_of(uri)
    source: dict[str, Any] = {"uri": uri, "connection": connection}
    if pattern is not None:
        source["pattern"] = pattern
    attributes = {
        "name": name,
        "source": source,
        "format": {"type": format_type or "json", "options": dict(options or {})},
        "table": {"identifier": table or f"raw.{name}"},
    }
    ingestion, problems = problems_of("preview", attributes)
    if ingestion is None:
        raise DeclarationError(problems)
    return ingestion


def name_of(uri: str) -> str:
    """A name for the ingestion of this address, from its last folder or its bucket."""
    parts = [part for part in uri.partition("://")[2].split("/") if part]
    try:
        name = column_name(parts[-1] if parts else "files")
    except ValueError:
        name = "files"
    name = "".join(char for char in name if char.isascii() and (char.isalnum() or char == "_"))
    name = name.strip("_")[:_NAME_AT_MOST]
    return name if name[:1].isalpha() else f"files_{name}".rstrip("_")


def declaration_text(ingestion: Ingestion) -> str:
    """The ingestion as a defs.yaml has it, without what is the default."""
    attributes = ingestion.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = {"type": COMPONENT_TYPE, "attributes": attributes}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)

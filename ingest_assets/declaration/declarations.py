"""The folder of declarations: every `defs.yaml` below it, validated together."""

from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from ingest_assets.alerts.alerts_file import ALERTS_FILE, load_alerts, unknown_channel
from ingest_assets.alerts.channels import Sns
from ingest_assets.alerts.errors import AlertsFileError
from ingest_assets.declaration.dead_letter_problems import dead_letter_problems
from ingest_assets.declaration.declared import UniqueKeyLoader, did_you_mean
from ingest_assets.declaration.move_targets import target_problems
from ingest_assets.declaration.quality_problems import quality_problems
from ingest_assets.errors import ConnectionsFileError, DeclarationError
from ingest_assets.files.connections import load_connections
from ingest_assets.files.notifications.queue_address import queue_identity
from ingest_assets.ingestion import Declaration, Ingestion, problems_of

COMPONENT_TYPE = "ingest_assets.components.S3ToIceberg"
FILE_NAME = "defs.yaml"


def load_declarations(folder: Path) -> list[Declaration]:
    """Every declaration of the folder, in the order of their paths.

    Raises:
        DeclarationError: with every problem of every file, not only the first.
    """
    declarations, problems = read_declarations(folder)
    if problems:
        raise DeclarationError(problems)
    return declarations


def declarations_of_tables(folder: Path, tables: Collection[str]) -> list[Declaration] | None:
    """The declarations whose tables these are, and no others, or None when they cannot be told.

    That is when a table has none, or more than one. For the process of a run: that all declarations
    of the folder hold together was seen when the code location was loaded.

    Raises:
        DeclarationError: one of them does not hold.
    """
    found: dict[str, Declaration] = {}
    for path in sorted(folder.glob(f"**/{FILE_NAME}")):
        shown = str(path.relative_to(folder))
        for attributes in _attributes(path, shown, []):
            table = attributes.get("table")
            identifier = str(table.get("identifier")) if isinstance(table, dict) else None
            if identifier is None or identifier not in tables:
                continue
            ingestion, problems = problems_of(shown, attributes)
            if ingestion is None:
                raise DeclarationError(problems)
            if identifier in found:
                return None
            found[identifier] = Declaration(shown, ingestion)
    return list(found.values()) if len(found) == len(tables) else None


def read_declarations(folder: Path) -> tuple[list[Declaration], list[str]]:
    """The declarations that hold, and the problems of the others and of all together."""
    if not folder.is_dir():
        return [], [f"{folder}: is not a folder; INGEST_DEFS should name the one of your defs.yaml"]
    declarations: list[Declaration] = []
    problems: list[str] = []
    for path in sorted(folder.glob(f"**/{FILE_NAME}")):
        shown = str(path.relative_to(folder))
        for attributes in _attributes(path, shown, problems):
            ingestion, found = problems_of(shown, attributes)
            problems += found
            if ingestion is not None:
                declarations.append(Declaration(shown, ingestion))
    problems += _clashes(declarations, "name", lambda ingestion: ingestion.name)
    problems += _clashes(
        declarations, "table.identifier", lambda ingestion: ingestion.table.identifier
    )
    problems += target_problems(declarations)
    problems += _clashes(
        declarations,
        "source.discovery.queue_url",
        lambda ingestion: ingestion.source.discovery.queue_url,
        identity_of=queue_identity,
    )
    problems += quality_problems(declarations)
    is_whole = not problems
    problems += _connection_problems(folder, declarations)
    problems += dead_letter_problems(folder, declarations)
    problems += _alert_problems(folder, declarations, is_whole=is_whole)
    return declarations, problems


def read_file(path: Path) -> list[Ingestion]:
    """The ingestions of one file, wherever it lies, without a look at any other declaration.

    Raises:
        DeclarationError: with every problem of the file.
    """
    problems: list[str] = []
    found = []
    for attributes in _attributes(path, str(path), problems):
        ingestion, said = problems_of(str(path), attributes)
        problems += said
        found += [ingestion] if ingestion is not None else []
    if problems:
        raise DeclarationError(problems)
    return found


def _attributes(path: Path, shown: str, problems: list[str]) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, Loader=UniqueKeyLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.append(f"{shown}: is not YAML: {' '.join(str(error).split())}")
        return []
    if not any(document is not None for document in documents):
        problems.append(
            f"{shown}: is empty; it should have `type: {COMPONENT_TYPE}` and `attributes:`"
        )
        return []
    found = []
    for document in documents:
        if not isinstance(document, dict):
            problems.append(f"{shown}: should have `type: {COMPONENT_TYPE}` and `attributes:`")
        elif document.get("type") != COMPONENT_TYPE:
            problems.append(
                f"{shown}: type: is {document.get('type')!r} and should be {COMPONENT_TYPE}"
            )
        elif unknown := sorted(set(document) - {"type", "attributes"}):
            meant = did_you_mean(unknown[0], ["attributes"]) or "; put it under attributes"
            problems.append(f"{shown}: {unknown[0]}: is not known here{meant}")
        elif not isinstance(document.get("attributes"), dict):
            problems.append(f"{shown}: attributes: is missing")
        else:
            found.append(document["attributes"])
    return found


def _clashes(
    declarations: list[Declaration],
    field: str,
    value_of: Callable[[Ingestion], str | None],
    identity_of: Callable[[str], str] = str,
) -> list[str]:
    """What is declared twice and may be only once, in whatever words; None is not declared."""
    users: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for declaration in declarations:
        value = value_of(declaration.ingestion)
        if value is not None:
            users[identity_of(value)].append((declaration.path, value))
    return [
        f"{path}: attributes.{field}: {value!r} is declared by {first} already"
        for (first, _), *others in users.values()
        for path, value in others
    ]


def _connection_problems(folder: Path, declarations: list[Declaration]) -> list[str]:
    try:
        known = load_connections(folder)
    except ConnectionsFileError as error:
        return str(error).splitlines()
    return [
        f"{declaration.path}: attributes.source.connection: {name!r} is not in connections.yaml, "
        f"which has {', '.join(sorted(known))}"
        for declaration in declarations
        if (name := declaration.ingestion.source.connection) not in known
    ]


def _alert_problems(folder: Path, declarations: list[Declaration], *, is_whole: bool) -> list[str]:
    """What alerts.yaml and the declarations say of each other that does not fit.

    Only when the declarations are whole is a name that none of them has a mistake.
    """
    try:
        alerts = load_alerts(folder)
        connections = load_connections(folder)
    except AlertsFileError as error:
        return str(error).splitlines()
    except ConnectionsFileError:
        return []
    problems = [
        f"{declaration.path}: attributes.alerts: {unknown_channel(name, alerts.channels)}"
        for declaration in declarations
        for name in declaration.ingestion.alerts
        if name not in alerts.channels
    ]
    path, known = folder / ALERTS_FILE, [d.ingestion.name for d in declarations]
    for name, channel in alerts.channels.items():
        if isinstance(channel, Sns) and channel.connection not in connections:
            problems.append(
                f"{path}: channels.{name}.connection: {channel.connection!r} is not in "
                f"connections.yaml, which has {', '.join(sorted(connections))}"
            )
    return problems + [
        f"{path}: ingestions.{name}: no declaration has this name{did_you_mean(name, known)}"
        for name in alerts.own_limits
        if is_whole and name not in known
    ]

"""What would happen to the files of an ingestion, found by the ingestion's own parts."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest_assets.cost.workload import files_a_batch
from ingest_assets.declaration.source import Format
from ingest_assets.deployment import Deployment
from ingest_assets.engine.preview import seen
from ingest_assets.engine.preview.cost import arrivals_of, with_cost
from ingest_assets.engine.preview.formats import DetectedFiles, detected_files, format_seen
from ingest_assets.engine.preview.known_files import KnownFiles, known_files
from ingest_assets.engine.preview.listed import Listed, connection_seen, listed
from ingest_assets.engine.preview.made_up import declaration_text
from ingest_assets.engine.preview.opened_table import opened_table
from ingest_assets.engine.preview.report import Preview
from ingest_assets.engine.preview.services import Services, services_of
from ingest_assets.engine.preview.source_report import FileSeen
from ingest_assets.engine.preview.suggestions import suggestions
from ingest_assets.engine.preview.table_seen import table_seen
from ingest_assets.engine.preview.trial import Trial, tried
from ingest_assets.engine.preview.trial_quality import trial_quality
from ingest_assets.errors import IngestError, ObjectStoreError
from ingest_assets.files.beginnings import MEBIBYTE, Beginnings, Limits
from ingest_assets.files.source_file import SourceFile
from ingest_assets.ingestion import Ingestion

FILES = 10
MOST_FILES = 1000
"""Of which what was seen is kept in memory, until the report is written."""
SAMPLE_ROWS = 5
READ_BYTES = 32 * MEBIBYTE
"""Of all files together; of each no less than `_LEAST_BYTES`."""
_LEAST_BYTES = 2 * MEBIBYTE


@dataclass(frozen=True)
class _Asked:
    """What somebody wants to see."""

    ingestion: Ingestion
    files: int
    is_declared: bool
    detects_format: bool
    files_a_batch: int | None


def preview(
    deployment: Deployment,
    ingestion: Ingestion,
    *,
    files: int = FILES,
    is_declared: bool = True,
    detects_format: bool = False,
    files_per_commit: int | None = None,
) -> Preview:
    """What would happen to the first `files` files; nothing is written, anywhere.

    The ingestion need not stand in a file. With `detects_format` its format is replaced by the one
    that the files have by their names and bytes. `files_per_commit`: so many come at a time; left
    out, it is told from when they came. Whatever stands in the way, of the store, the table or the
    files, is in the preview and is not raised.

    Raises:
        ConnectionsFileError: the declaration names a connection that there is not.
    """
    asked = _Asked(ingestion, files, is_declared, detects_format, files_per_commit)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ingest-preview-") as spool:
        found = _previewed(deployment, asked, Path(spool))
    return replace(found, seconds=round(time.monotonic() - started, 3))


def _previewed(deployment: Deployment, asked: _Asked, spool: Path) -> Preview:
    ingestion = asked.ingestion
    services = services_of(deployment, may_start=asked.is_declared)
    store = Beginnings(
        ingestion.source,
        deployment.connection(ingestion, ingestion.source.connection),
        spool,
        deployment.s3_clients,
        Limits(max(_LEAST_BYTES, READ_BYTES // max(1, asked.files))),
    )
    try:
        found = listed(services, ingestion, store)
    except ObjectStoreError as error:
        begun = _begun(deployment, asked, services, str(error))
        return replace(begun, problems=(str(error),))
    known = known_files(services, ingestion, found.files)
    chosen = known.first(found.files, asked.files)
    detected = detected_files(store, chosen)
    if asked.detects_format and detected.most is not None and detected.most.type is not None:
        own = Format(type=detected.most.type, options=ingestion.format.options)
        ingestion = ingestion.model_copy(update={"format": own})
        asked = replace(asked, ingestion=ingestion)
    store.format = ingestion.format
    begun = _begun(deployment, asked, services)
    begun = replace(begun, found=found.found, ledger_states=known.counts)
    if not chosen:
        return replace(begun, problems=(_nothing(ingestion, found),))
    return _read(begun, asked, services, store, _Chosen(chosen, detected, found, known))


def _begun(
    deployment: Deployment, asked: _Asked, services: Services, refusal: str | None = None
) -> Preview:
    """What is known before anything is listed; `refusal` is what the store says to that."""
    source = asked.ingestion.source
    return Preview(
        name=asked.ingestion.name,
        uri=source.uri,
        pattern=source.pattern,
        is_declared=asked.is_declared,
        declaration=declaration_text(asked.ingestion),
        made_at=datetime.now(UTC),
        seconds=0.0,
        connection=connection_seen(deployment, asked.ingestion, refusal),
        services=services.seen,
    )


def _nothing(ingestion: Ingestion, found: Listed) -> str:
    """Why there is no file to read."""
    source, where = ingestion.source, ingestion.source.uri_of("")
    if not found.found.listed:
        return f"Nothing is under {where}. Check source.uri, or wait for the first file."
    example = f", such as {found.found.example_left_out!r}" if found.found.example_left_out else ""
    if found.found.left_out:
        return (
            f"None of the {found.found.listed} objects under {where} is wanted: "
            f"{found.found.left_out} match source.pattern and are older than source.start asks for."
        )
    return (
        f"source.pattern {source.pattern!r} matches none of the {found.found.listed} objects under "
        f"{where}{example}. Correct source.pattern."
    )


@dataclass(frozen=True)
class _Chosen:
    files: Sequence[SourceFile]
    detected: DetectedFiles
    listed: Listed
    known: KnownFiles


def _read(
    begun: Preview, asked: _Asked, services: Services, store: Beginnings, chosen: _Chosen
) -> Preview:
    """The preview with what the files say."""
    ingestion, detected = asked.ingestion, chosen.detected
    if detected.most is None and asked.detects_format and detected.by_key:
        shown = format_seen(detected, None, ())
        return replace(begun, format=shown, problems=(_unreadable(shown.reason),))
    try:
        opened = opened_table(services, ingestion)
        came = arrivals_of(ingestion, chosen.listed)
        claims = chosen.known.claims(chosen.files)
        trial = tried(
            ingestion,
            store,
            opened,
            claims,
            trial_quality(services, ingestion, opened, claims),
            sample_rows=SAMPLE_ROWS,
            files_a_batch=asked.files_a_batch or files_a_batch(ingestion, came),
        )
    except IngestError as error:
        return replace(begun, problems=(str(error),))
    prefix = ingestion.source.uri_of("")
    names, rows = seen.sample_seen(trial, SAMPLE_ROWS)
    whole = replace(
        begun,
        format=format_seen(
            detected, None if asked.detects_format else ingestion.format, trial.tried
        ),
        files=tuple(_files_seen(trial, store, chosen)),
        columns=seen.columns_seen(trial),
        differences=seen.differences_seen(trial),
        sample_columns=names,
        sample_rows=rows,
        rejected=seen.rejected_seen(trial, prefix),
        rescued=seen.rescued_seen(trial, prefix),
        checks=seen.checks_seen(trial),
        table=table_seen(ingestion, trial),
        problems=(opened.refusal,) if opened.refusal else (),
        notes=tuple(_notes(ingestion, trial, store, chosen, opened.note)),
    )
    whole = replace(whole, suggestions=suggestions(ingestion, whole, trial))
    has_history = asked.is_declared or bool(chosen.known.contents)
    return with_cost(services, ingestion, whole, trial, chosen.listed, has_history=has_history)


def _unreadable(reason: str) -> str:
    return f"No format that can be read was found: {reason}. Name one with --format."


def _files_seen(trial: Trial, store: Beginnings, chosen: _Chosen) -> Iterator[FileSeen]:
    for file in trial.tried:
        key = file.source.key
        codec = chosen.detected.codec(key)
        yield seen.file_seen(file, store.read_bytes.get(key, 0), codec, chosen.known.states)


def _notes(
    ingestion: Ingestion, trial: Trial, store: Beginnings, chosen: _Chosen, note: str | None
) -> list[str]:
    """What limits what the preview says."""
    said = [note] if note else []
    if not ingestion.source.start.include_existing:
        said.append(
            "source.start.include_existing is off: files that are there at the first listing are "
            "skipped. They are shown as if they came later."
        )
    parts = [f.source for f in trial.tried if 0 < _read_of(store, f.source) < f.source.size_bytes]
    if parts:
        most = max(_read_of(store, source) for source in parts)
        said.append(
            f"Of {len(parts)} large files only the beginning was read (the first "
            f"{most / MEBIBYTE:.1f} MiB as stored of {parts[0].key!r}): rows, rejects and types of "
            "what follows are not known."
        )
    left = chosen.listed.found.count - len(chosen.files)
    if left > 0:
        said.append(f"{len(chosen.files)} files were read; {left} more were not.")
    return said


def _read_of(store: Beginnings, source: SourceFile) -> int:
    return store.read_bytes.get(source.key, 0)

"""`ingest-assets files`: where each file is, and why."""

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from ingest_assets.cli.file_attempts import print_attempts
from ingest_assets.cli.listing import print_rows
from ingest_assets.declaration.source import Source
from ingest_assets.deployment import Deployment
from ingest_assets.engine.applied_declaration import known_ingestion
from ingest_assets.engine.discovery import dead_letters_in
from ingest_assets.errors import UnknownFileError
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import archive, lookup
from ingest_assets.ledger.former import former_names
from ingest_assets.ledger.lookup import FileRow
from ingest_assets.ledger.standing import standing
from ingest_assets.ledger.states import FileStatus

_JSON_FIELDS = (
    "key",
    "status",
    "rows",
    "rescued",
    "rejected",
    "filtered",
    "broken_rules",
    "attempts",
    "error_type",
    "error",
    "etag",
    "committed_etag",
    "schema_version",
    "snapshot_id",
    "batch_id",
    "source_state",
    "source_moved_to",
    "source_error",
    "dead_letter_copy",
    "dead_letter_report",
    "dead_letter_error",
    "gone_at",
    "lost_contents",
    "retired_at",
)
_MOMENT = "%Y-%m-%d %H:%M:%S %Z"
_COLUMNS = ("key", "status", "rows", "rescued", "rejected", "attempts", "why")


@click.command()
@click.argument("name")
@click.option(
    "--status",
    type=click.Choice([status.value for status in FileStatus], case_sensitive=False),
    help="Only the files in this state.",
)
@click.option("--key", help="Only the file with this key below the prefix, or this whole URI.")
@click.option("--attempts", is_flag=True, help="With --key: all that batches did with that file.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, one object a file.")
def command(name: str, status: str | None, key: str | None, attempts: bool, as_json: bool) -> None:
    """Show the ledger of the ingestion NAME: the state of each file, and why it is so."""
    if attempts and key is None:
        raise click.UsageError("--attempts needs --key: it shows what became of one file, in full.")
    deployment = Deployment.from_env()
    ingestion = known_ingestion(deployment, name)
    keys = None if key is None else [key, key.removeprefix(ingestion.source.uri_of(""))]
    with deployment.ledger.transaction() as connection:
        wanted = status.upper() if status else None
        resting = standing(connection, name)
        formers = former_names(connection, name)
        rows = lookup.files(connection, ingestion.name, status=wanted, keys=keys)
        if keys is not None and not lookup.file_ids(connection, ingestion.name, keys):
            listed_at = lookup.last_listed_at(connection, ingestion.name)
            is_out = dead_letters_in(deployment, ingestion)(keys[-1])
            raise UnknownFileError(_unknown(ingestion, keys[-1], listed_at, is_out=is_out))
        found = archive.attempts_of(connection, ingestion.name, keys or ()) if attempts else []
    if attempts:
        print_attempts(key or "", found, as_json=as_json)
        return
    if as_json:
        listed = [
            {field: value for field, value in asdict(row).items() if field in _JSON_FIELDS}
            for row in rows
        ]
        click.echo(json.dumps(listed, indent=2, default=datetime.isoformat))
    else:
        _print(ingestion, rows)
        if not resting.is_at_work:
            click.echo(f"{resting.sentence(name)}.", err=True)
        for former in formers:
            click.echo(f"Of before its table was dropped: ingest-assets files {former}", err=True)


def _unknown(ingestion: Ingestion, key: str, listed_at: datetime | None, *, is_out: bool) -> str:
    """Why the ledger has no such file, as far as that can be told, and what to do."""
    name, source = ingestion.name, ingestion.source
    prefix = source.uri_of("")
    if "://" in key:
        return f"{key} is not under {prefix}, where the files of {name} are."
    if not matcher(source.pattern)(key):
        return f"{key!r} does not match source.pattern {source.pattern!r}, so {name} leaves it out."
    if is_out:
        return f"{key!r} is in a folder that dead letters are copied to, so {name} leaves it out."
    if listed_at is None:
        cause = f"{prefix} has not been listed yet"
    else:
        cause = f"it was not under {prefix} at the last listing, {listed_at:%Y-%m-%d %H:%M:%S %Z}"
    return (
        f"{name} knows no file {key!r}: {cause}. A key is what follows that prefix. Once the file "
        f"is there, `ingest-assets run {name}` or the next tick of its sensor finds it."
    )


def _print(ingestion: Ingestion, rows: list[FileRow]) -> None:
    """A table on a terminal; elsewhere a line a file below the header, fields parted by tabs."""
    lines = [
        [_quoted(row.key), row.status, *_numbers(row), _why(row, ingestion.source)] for row in rows
    ]
    print_rows(_COLUMNS, lines, f"{ingestion.name}: {len(rows)} files")


def _quoted(key: str) -> str:
    """The key, with control characters shown so that it stays on its line."""
    return key if key.isprintable() else json.dumps(key, ensure_ascii=False)


def _numbers(row: FileRow) -> list[str]:
    numbers = (row.rows, row.rescued, row.rejected, row.attempts)
    return ["" if number is None else str(number) for number in numbers]


def _why(row: FileRow, source: Source) -> str:
    said = []
    if row.error is not None:
        again = ""
        if row.next_attempt_at is not None:
            again = f" (tried again after {row.next_attempt_at:{_MOMENT}})"
        said.append(f"{'; '.join(row.error.splitlines())}{again}")
    settles_at = row.there_since + source.settle
    if row.status in (FileStatus.DISCOVERED, FileStatus.FAILED) and settles_at > datetime.now(UTC):
        said.append(f"waits for source.settle_seconds, until {settles_at:{_MOMENT}}")
    if row.status == FileStatus.SUCCESS and row.etag != row.committed_etag:
        said.append("has newer content, which source.on_changed_file ignores")
    if row.broken_rules:
        said.append(f"in the table, and does not hold: {', '.join(row.broken_rules)}")
    if row.lost_contents:
        said.append(f"{row.lost_contents} earlier contents lost, whose rows the table had")
    if row.retired_at is not None:
        said.append(f"not among the live partitions since {row.retired_at:{_MOMENT}}")
    said += _object(row, source)
    return "; ".join(said)


def _object(row: FileRow, source: Source) -> list[str]:
    """What `source.after_success` did with the file's object, or why not, or that it is gone."""
    if row.source_error is not None:
        return [row.source_error]
    if row.source_state is not None:
        to = f" to {row.source_moved_to}" if row.source_moved_to else ""
        return [f"{row.source_state}{to}"]
    if row.gone_at is not None:
        return [f"gone from the source since {row.gone_at:{_MOMENT}}"]
    if source.after_success.action != "keep" and row.status == FileStatus.SUCCESS and row.rejected:
        return ["source.after_success leaves the object, as rows of it are rejected"]
    return []

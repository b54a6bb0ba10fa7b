"""Whether people let an ingestion work: paused, deleted, or neither.

A paused ingestion begins nothing by itself; what is begun comes to its end, and what a person asks
for is done. A deleted one does nothing at all. Its rows in the ledger stay, so that its files can
be found, and that none is read twice into a table that was kept.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.errors import ConfigurationError
from ingest_assets.ledger import audit

_MOMENT = "%Y-%m-%d %H:%M:%S %Z"


class PausedError(ConfigurationError):
    """The ingestion is paused, and only a person's own run would be done."""


class DeletedError(ConfigurationError):
    """The ingestion is deleted; nothing is done for it."""


@dataclass(frozen=True)
class Standing:
    """When, by whom and why an ingestion was paused or deleted; nothing of it for one at work."""

    paused_at: datetime | None = None
    paused_by: str | None = None
    paused_note: str | None = None
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    deleted_note: str | None = None
    table_dropped_at: datetime | None = None

    @property
    def is_paused(self) -> bool:
        """It begins nothing by itself."""
        return self.paused_at is not None

    @property
    def is_deleted(self) -> bool:
        """It does nothing."""
        return self.deleted_at is not None

    @property
    def is_at_work(self) -> bool:
        """It is neither."""
        return not (self.is_paused or self.is_deleted)

    def sentence(self, ingestion: str) -> str:
        """What it is, since when and why, and the way out; for one that is not at work."""
        if self.deleted_at is not None:
            began = _told("deleted at", self.deleted_at, self.deleted_by, self.deleted_note)
            table = (
                "and its table dropped; after `ingest-assets resume {0}` it begins anew"
                if self.table_dropped_at is not None
                else "and its table kept; `ingest-assets resume {0}` takes it up where it was"
            )
            return f"{ingestion} was {began}, {table.format(ingestion)}"
        assert self.paused_at is not None
        began = _told("paused since", self.paused_at, self.paused_by, self.paused_note)
        return f"{ingestion} is {began}; `ingest-assets resume {ingestion}` lets it go on"


def _told(what: str, at: datetime, by: str | None, note: str | None) -> str:
    why = f" ({note})" if note else ""
    return f"{what} {at:{_MOMENT}} by {by}{why}"


_COLUMNS = ", ".join(field.name for field in fields(Standing))


def standing(connection: Connection, ingestion: str) -> Standing:
    """That of the ingestion; one that the ledger does not know is at work."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM ingest.ingestions WHERE name = :name"), {"name": ingestion}
    ).first()
    return Standing() if row is None else Standing(**row._mapping)


def standings(connection: Connection) -> dict[str, Standing]:
    """Those of all ingestions that the ledger knows, by name."""
    rows = connection.execute(text(f"SELECT name, {_COLUMNS} FROM ingest.ingestions")).mappings()
    return {row["name"]: Standing(**{k: row[k] for k in row if k != "name"}) for row in rows}


def refuse_deleted(connection: Connection, ingestion: str) -> None:
    """Nothing, unless the ingestion is deleted.

    Raises:
        DeletedError: it is; nothing was done.
    """
    found = standing(connection, ingestion)
    if found.is_deleted:
        raise DeletedError(f"{found.sentence(ingestion)}. Nothing was done.")


def may_plan(connection: Connection, ingestion: str, *, is_person: bool) -> bool:
    """Batches may be planned, and nobody pauses or deletes before this transaction ends.

    The lock meets only those of `pause` and `delete`, so that planning waits for nothing else.
    """
    row = connection.execute(
        text("""
            SELECT paused_at IS NOT NULL AS is_paused, deleted_at IS NOT NULL AS is_deleted
            FROM ingest.ingestions WHERE name = :name FOR KEY SHARE
        """),
        {"name": ingestion},
    ).first()
    return row is None or not (row.is_deleted or (row.is_paused and not is_person))


def pause(connection: Connection, ingestion: str, actor: str, note: str) -> bool:
    """No batch is planned from now on, but for a person; False if it was so."""
    _lock(connection, ingestion)
    return _change(
        connection,
        ingestion,
        "paused_at = now(), paused_by = :actor, paused_note = :note",
        "paused_at IS NULL",
        actor=actor,
        note=note,
        action="pause",
    )


def resume(connection: Connection, ingestion: str, actor: str, note: str) -> bool:
    """It goes on as before it was paused or deleted; False if it was neither."""
    _lock(connection, ingestion)
    return _change(
        connection,
        ingestion,
        "paused_at = NULL, paused_by = NULL, paused_note = NULL, "
        "deleted_at = NULL, deleted_by = NULL, deleted_note = NULL",
        "paused_at IS NOT NULL OR deleted_at IS NOT NULL",
        actor=actor,
        note=note,
        action="resume",
    )


def delete(connection: Connection, ingestion: str, actor: str, note: str) -> bool:
    """It does nothing any more, and wants none of the source's objects; False if it was so.

    Call it with no batch of it open, after `lock_for_delete`.
    """
    return _change(
        connection,
        ingestion,
        "deleted_at = now(), deleted_by = :actor, deleted_note = :note, source_address = NULL",
        "deleted_at IS NULL",
        actor=actor,
        note=note,
        action="delete",
    )


def note_dropped(connection: Connection, ingestion: str, actor: str, tables: list[str]) -> None:
    """The tables of the deleted ingestion are gone; another one may have their names."""
    _change(
        connection,
        ingestion,
        "table_dropped_at = now()",
        "table_dropped_at IS NULL",
        actor=actor,
        note=", ".join(tables),
        action="drop_table",
    )


def lock_for_delete(connection: Connection, ingestion: str) -> None:
    """Nothing is planned before this transaction ends."""
    _lock(connection, ingestion)


def _lock(connection: Connection, ingestion: str) -> None:
    row = text("SELECT 1 FROM ingest.ingestions WHERE name = :name FOR UPDATE")
    connection.execute(row, {"name": ingestion})


def _change(
    connection: Connection,
    ingestion: str,
    values: str,
    condition: str,
    *,
    actor: str,
    note: str,
    action: str,
) -> bool:
    parameters: dict[str, Any] = {"name": ingestion, "actor": actor, "note": note or None}
    changed = connection.execute(
        text(f"UPDATE ingest.ingestions SET {values} WHERE name = :name AND ({condition})"),
        parameters,
    ).rowcount
    if changed:
        audit.note(connection, ingestion, actor, action, {"note": note})
    return bool(changed)

"""What people decide about the schema of an ingestion's table, carried out exactly once.

A decision that changes the table is a batch without files: it stands beside the PREPARED batch, the
table's snapshot carries the batch's id, and whoever finishes the batch, be it recovery, makes the
decision true here. A decision that leaves the table as it is needs this ledger alone.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.decision_errors import DecisionOutdatedError
from ingest_assets.ledger import (
    audit,
    parked_files,
    registry,
    resolved_versions,
    schema_versions,
)
from ingest_assets.ledger.batches import ClaimedBatch
from ingest_assets.ledger.leases import LEASE, Holder
from ingest_assets.ledger.resolved_versions import Resolved
from ingest_assets.ledger.row_locks import lock_ingestion
from ingest_assets.ledger.schema_versions import SchemaChange
from ingest_assets.schema.difference import Verdict
from ingest_assets.schema.resolution import Resolution
from ingest_assets.schema.types import columns_from_json, columns_to_json, fingerprint
from ingest_assets.schema.union import union


@dataclass(frozen=True)
class SchemaDecision:
    """`action` is a `Resolution` or the name of a change that a person asked for by itself.

    `version` is the PENDING version that it is about, None for none. `base_version` is the ACTIVE
    version that it was made on, None before there is one. `fields` are those of the ACTIVE version
    afterwards, as of `columns_to_json`; None when the active version stays. `diff` is what changes
    from the one to the other; of `ignore` what the files have that the table has not. `route` is
    the table that it is about; `new_route` the one that a shape gets for itself.
    """

    action: str
    actor: str
    note: str
    version: int | None
    base_version: int | None
    fields: list[dict[str, Any]] | None = None
    verdict: str | None = None
    compatibility: str | None = None
    diff: dict[str, Any] | None = None
    detail: dict[str, Any] | None = None
    route: str = ""
    new_route: str | None = None


def prepare(
    connection: Connection, ingestion: str, decision: SchemaDecision, holder: Holder
) -> ClaimedBatch:
    """A PREPARED batch without files that carries the decision.

    Raises:
        DecisionOutdatedError: somebody decided first, is deciding, or the active version is new.
    """
    _check_current(connection, ingestion, decision)
    batch_id = uuid.uuid4().hex
    connection.execute(
        text("""
            INSERT INTO ingest.batches
                (batch_id, ingestion, status, origin, holder, prepared_at, lease_expires_at,
                 reported_at, decision, route)
            VALUES (:batch_id, :ingestion, 'PREPARED', 'person', CAST(:holder AS jsonb), now(),
                    now() + CAST(:lease AS interval), now(), CAST(:decision AS jsonb), :route)
        """),
        {
            "batch_id": batch_id,
            "ingestion": ingestion,
            "holder": holder.as_json(),
            "lease": LEASE,
            "decision": json.dumps(asdict(decision)),
            "route": decision.route,
        },
    )
    return ClaimedBatch(batch_id, ingestion, holder.token, ())


def carry_out(connection: Connection, ingestion: str, decision: SchemaDecision) -> int | None:
    """As decided, where the table stays as it is; the number of the version it is about.

    Raises:
        DecisionOutdatedError: as `prepare`.
    """
    _check_current(connection, ingestion, decision)
    return apply(connection, ingestion, decision)


def apply(
    connection: Connection, ingestion: str, decision: SchemaDecision, batch_id: str | None = None
) -> int | None:
    """As `carry_out`, for a decision that is in the table: nothing can refuse it any more.

    Columns that a batch added since the decision was made stay.
    """
    lock_ingestion(connection, ingestion)
    resolved = Resolved(decision.action, decision.actor, decision.note)
    version = decision.version
    if decision.fields is not None:
        change = _change(connection, ingestion, decision)
        version = resolved_versions.make_active(connection, ingestion, resolved, change, version)
    elif version is not None:
        status = "REJECTED" if decision.action == Resolution.REJECT else "DEPRECATED"
        resolved_versions.resolve(connection, ingestion, version, resolved, status)
        if decision.action == Resolution.IGNORE and decision.diff is not None:
            resolved_versions.set_diff(connection, ingestion, version, decision.diff)
    if decision.action == Resolution.REJECT and version is not None:
        parked_files.reject(connection, ingestion, version)
    else:
        parked_files.send_on(
            connection,
            ingestion,
            decision.version,
            new_route=decision.new_route,
            judges_all=decision.fields is not None,
        )
    _note(connection, ingestion, decision, version, batch_id)
    return version


def under_way(connection: Connection, ingestion: str) -> tuple[str, SchemaDecision] | None:
    """The decision that is being carried out, and the id of its batch; None for none.

    Whether it is true of the table already, the table knows.
    """
    row = connection.execute(
        text("""
            SELECT batch_id, decision FROM ingest.batches
            WHERE ingestion = :ingestion AND status = 'PREPARED' AND decision IS NOT NULL
        """),
        {"ingestion": ingestion},
    ).first()
    return None if row is None else (row.batch_id, SchemaDecision(**row.decision))


def version_of(connection: Connection, ingestion: str, batch_id: str) -> int | None:
    """The number of the version that the decision of a finished batch made active, if any."""
    found = connection.execute(
        text("""
            SELECT CAST(a.detail->>'version' AS int) FROM ingest.audit a
            WHERE a.ingestion = :ingestion AND a.detail->>'batch_id' = :batch_id
        """),
        {"ingestion": ingestion, "batch_id": batch_id},
    ).scalar()
    return None if found is None else int(found)


def _change(connection: Connection, ingestion: str, decision: SchemaDecision) -> SchemaChange:
    """The ACTIVE version to be, with what a batch added since the decision was made."""
    columns = columns_from_json(decision.fields or [])
    active = schema_versions.active(connection, ingestion, decision.route)
    if (
        decision.new_route is None
        and active is not None
        and active.version != decision.base_version
    ):
        columns = union(columns, columns_from_json(active.fields))
    return SchemaChange(
        status="ACTIVE",
        verdict=decision.verdict or Verdict.NON_BREAKING,
        compatibility=decision.compatibility,
        fields=columns_to_json(columns),
        fingerprint=fingerprint(columns),
        diff=decision.diff,
        file_id=None,
        route=decision.route if decision.new_route is None else decision.new_route,
    )


def _check_current(connection: Connection, ingestion: str, decision: SchemaDecision) -> None:
    """The ingestion is locked, and nothing has happened to what the decision was made on.

    A decision that is being carried out may be in the table already, so none is made beside it.
    """
    lock_ingestion(connection, ingestion)
    _check_pending(connection, ingestion, decision)
    if under_way(connection, ingestion) is not None:
        raise DecisionOutdatedError(
            f"Another decision about the schema of {ingestion} is being carried out. Nothing was "
            "changed; look again in a minute. If its process died, the next tick or pass ends it."
        )
    if decision.new_route in registry.tables_of_all(connection):
        raise DecisionOutdatedError(
            f"{decision.new_route} is the table of another shape or ingestion by now. Nothing was "
            "changed; look at the plan again."
        )
    active = schema_versions.active(connection, ingestion, decision.route)
    if (active.version if active else None) != decision.base_version:
        raise DecisionOutdatedError(
            f"The schema of {ingestion} was changed while this was decided. Nothing was changed; "
            "look at the plan again."
        )


def _check_pending(connection: Connection, ingestion: str, decision: SchemaDecision) -> None:
    if decision.version is None:
        return
    found = connection.execute(
        text("""
            SELECT status, resolution, resolved_by FROM ingest.schema_versions
            WHERE ingestion = :ingestion AND version = :version
        """),
        {"ingestion": ingestion, "version": decision.version},
    ).one()
    if found.status != "PENDING":
        raise DecisionOutdatedError(
            f"Version {decision.version} of {ingestion} is {found.status} already"
            + (f" ({found.resolution} by {found.resolved_by})" if found.resolution else "")
            + ". Nothing was changed."
        )


def _note(
    connection: Connection,
    ingestion: str,
    decision: SchemaDecision,
    version: int | None,
    batch_id: str | None,
) -> None:
    detail = {
        "version": version,
        "note": decision.note,
        "diff": decision.diff,
        "batch_id": batch_id,
        **(decision.detail or {}),
    }
    audit.note(connection, ingestion, decision.actor, f"schema.{decision.action}", detail)

"""The columns that a table has after a decision about a pending version."""

from collections.abc import Mapping

from ingest_assets.decision_errors import DecisionRefusedError
from ingest_assets.ledger.registry import VersionRow
from ingest_assets.schema.column import Columns
from ingest_assets.schema.difference import ChangeKind, difference
from ingest_assets.schema.resolution import Resolution, accepted, merged
from ingest_assets.schema.types import columns_from_json
from ingest_assets.tables.operations import Constant, Expression

Fills = Mapping[str, Constant | Expression]
"""By column, the value that the rows get which are in the table already."""

_OF_TYPE = (ChangeKind.NARROWED, ChangeKind.TYPE_CHANGED)


def columns_after(
    columns: Columns, pending: VersionRow, resolution: Resolution, fills: Fills
) -> Columns:
    """What `columns` become when the pending version is resolved so.

    Raises:
        DecisionRefusedError: the resolution says nothing about such a version.
    """
    observed = columns_from_json(pending.fields)
    if fills and resolution is not Resolution.BACKFILL:
        raise DecisionRefusedError("Values for existing rows go with backfill alone.")
    match resolution:
        case Resolution.ACCEPT:
            return accepted_columns(columns, pending)
        case Resolution.MERGE:
            return merged(columns, observed)
        case Resolution.BACKFILL:
            return _backfilled(columns, observed, pending, fills)
        case _:
            return columns


def accepted_columns(columns: Columns, pending: VersionRow) -> Columns:
    """The columns when those of the pending version are theirs; required is what every record had.

    Of a version that the declaration brought, required is what is declared so.
    """
    observed = columns_from_json(pending.fields)
    declared = [column.name for column in observed if column.is_required]
    present = (pending.diff or {}).get("always_present", declared)
    return accepted(columns, observed, frozenset(present))


def _backfilled(columns: Columns, observed: Columns, pending: VersionRow, fills: Fills) -> Columns:
    """The columns and the new ones; each of these has a value for the rows that are there."""
    known = {column.name for column in columns}
    added = [column.name for column in observed if column.name not in known]
    version = pending.version
    if not added:
        raise DecisionRefusedError(
            f"Version {version} adds no column, so there is nothing to backfill. Merge or accept "
            "it instead."
        )
    changed = [c.path for c in difference(columns, observed).changes if c.kind in _OF_TYPE]
    if changed:
        raise DecisionRefusedError(
            f"Version {version} also changes the type of {', '.join(changed)}, about which a "
            "backfill says nothing. Merge or accept it instead."
        )
    if set(fills) != set(added):
        raise DecisionRefusedError(
            f"Version {version} adds {', '.join(added)}: give each of them, and no other, a value "
            "with --default COLUMN=VALUE or --sql COLUMN=EXPRESSION (in the launchpad: defaults "
            "or expressions)."
        )
    return merged(columns, observed)

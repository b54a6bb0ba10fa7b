"""Where the files of an ingestion are: the address that their keys follow."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from ingest_assets.errors import ConfigurationError
from ingest_assets.ledger import audit
from ingest_assets.ledger.pattern import LEFT_OUT


class SourceAddressError(ConfigurationError):
    """`source.uri` is a prefix under which files of the table would be read a second time."""


def follow(connection: Connection, ingestion: str, address: str) -> None:
    """The ingestion's files are under `address` from now on.

    Raises:
        SourceAddressError: files whose rows are in the table, or are on their way, are under it,
            too, where they would have other keys; all is as it was.
    """
    values = {"ingestion": ingestion, "address": address}
    before = connection.execute(_KNOWN, values).scalar()
    if before == address:
        return
    refuse_other_keys(connection, ingestion, address)
    connection.execute(_FOLLOW, values)
    if before is not None:
        detail = {"from": before, "to": address}
        audit.note(connection, ingestion, "declaration", "source.uri", detail)


def refuse_other_keys(connection: Connection, ingestion: str, address: str) -> None:
    """Nothing, unless files that are known have other keys under `address`; changes nothing.

    Raises:
        SourceAddressError: as `follow`.
    """
    values = {"ingestion": ingestion, "address": address}
    found = connection.execute(_OTHER_KEY, values).first()
    if found is not None:
        raise SourceAddressError(
            f"source.uri of {ingestion} is {address} now, under which {found.uri}, which is known "
            f"as {found.key!r}, would be read a second time as {found.new_key!r}. Nothing was "
            "read. Put source.uri back, or declare another ingestion with a table of its own."
        )


def overlapping(connection: Connection, ingestion: str, address: str) -> Sequence[Any]:
    """Rows (name, table_identifier, source_address, pattern) of the others that may have its files.

    As their last ticks had them; `pattern` is None when no tick came so far as to apply it.
    """
    values = {"ingestion": ingestion, "address": address, "pattern": LEFT_OUT}
    return connection.execute(_OVERLAPPING, values).all()


_KNOWN = text("SELECT source_address FROM ingest.ingestions WHERE name = :ingestion")

_OTHER_KEY = text("""
    SELECT key, uri, substr(uri, length(:address) + 1) AS new_key
    FROM ingest.files f LEFT JOIN ingest.batches b USING (batch_id)
    WHERE f.ingestion = :ingestion AND starts_with(uri, :address)
      AND key <> substr(uri, length(:address) + 1)
      AND (committed_content_id IS NOT NULL OR b.holder IS NOT NULL)
    LIMIT 1
""")

_FOLLOW = text("UPDATE ingest.ingestions SET source_address = :address WHERE name = :ingestion")

_OVERLAPPING = text("""
    SELECT name, table_identifier, source_address, (
        SELECT detail->>'pattern' FROM ingest.audit
        WHERE ingestion = name AND action = :pattern ORDER BY at DESC, audit_id DESC LIMIT 1
    ) AS pattern
    FROM ingest.ingestions
    WHERE name <> :ingestion
      AND (starts_with(source_address, :address) OR starts_with(:address, source_address))
    ORDER BY name
""")

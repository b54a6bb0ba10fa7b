"""Which other ingestions read the same objects, and which of those they still want."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ingest_assets.declaration.declarations import load_declarations
from ingest_assets.declaration.move_targets import overlap
from ingest_assets.deployment import Deployment
from ingest_assets.engine.proven_rows import proven
from ingest_assets.files.pattern import matcher
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import source_address, source_objects
from ingest_assets.ledger.source_objects import IngestedFile
from ingest_assets.ledger.standing import standings


@dataclass(frozen=True)
class _Reader:
    """An ingestion with the address and pattern of its source. `why`: an object waits for it."""

    name: str
    table: str
    prefix: str
    matches: Callable[[str], bool]
    why: str


class Readers:
    """The other ingestions whose source may have objects of this one's.

    Read from the declarations as they are now; those that are not declared here, and that the
    ledger knows, as their last ticks had them. An object is known by its address alone: the same
    address over another connection may be another object, and in doubt it is wanted.

    Raises:
        DeclarationError: the declarations do not hold, so nobody can tell.
    """

    def __init__(self, deployment: Deployment, ingestion: Ingestion) -> None:
        self._deployment = deployment
        own = ingestion.source.address
        declared = [d.ingestion for d in load_declarations(deployment.settings.defs)]
        with deployment.ledger.transaction() as connection:
            known = source_address.overlapping(connection, ingestion.name, own)
            deleted = {name for name, one in standings(connection).items() if one.is_deleted}
        declared = [other for other in declared if other.name not in deleted]
        names = {other.name for other in declared}
        self._readers = [
            _declared(other)
            for other in declared
            if other.name != ingestion.name and overlap(other.source.address, own)
        ] + [_known(row) for row in known if row.name not in names]

    def wanting(self, files: Sequence[IngestedFile]) -> dict[int, str]:
        """The ids of the files that another ingestion still wants, and that they wait for it.

        It wants every file that its pattern has, until the same content is in its table for
        certain and without rejected rows, or is skipped by its `start`. One that it has not found
        yet, that failed, is parked or rejected, or that a batch holds, is wanted.

        Raises:
            CatalogError: a table cannot be asked.
        """
        wanted = dict[int, str]()
        for reader in self._readers:
            keys = {
                file.source.uri.removeprefix(reader.prefix): file
                for file in files
                if file.source.uri.startswith(reader.prefix)
            }
            keys = {key: file for key, file in keys.items() if reader.matches(key)}
            wanted |= dict.fromkeys(self._wanted_by(reader, keys), reader.why)
        return wanted

    def _wanted_by(self, reader: _Reader, keys: dict[str, IngestedFile]) -> list[int]:
        with self._deployment.ledger.transaction() as connection:
            known = source_objects.interests(connection, reader.name, reader.prefix, list(keys))
        known = {k: v for k, v in known.items() if v.etag == keys[k].source.etag}
        ingested = [i.ingested for i in known.values() if i.ingested is not None]
        certain = proven(self._deployment.catalog, reader.table, ingested)
        done = {file.source.key for file in ingested if file.file_id in certain}
        done |= {key for key, interest in known.items() if interest.is_unwanted}
        return [file.file_id for key, file in keys.items() if key not in done]


def _declared(other: Ingestion) -> _Reader:
    return _Reader(
        other.name,
        other.table.identifier,
        other.source.address,
        matcher(other.source.pattern),
        f"Not finished: the ingestion {other.name} still wants it.",
    )


def _known(row: Any) -> _Reader:
    """Of a row of `source_address.overlapping`."""
    return _Reader(
        row.name,
        row.table_identifier,
        row.source_address,
        matcher(row.pattern or "**/*"),
        f"Not finished: the ingestion {row.name}, which is not declared here, still wants it. If "
        f"it is retired: `ingest-assets delete {row.name}`",
    )

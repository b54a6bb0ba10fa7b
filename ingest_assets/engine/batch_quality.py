"""The rules of an ingestion over the files of one batch, each file and many small ones at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ingest_assets.deployment import Deployment
from ingest_assets.engine.table_keys import OwnKeys, OwnLookup, ReferencedKeys
from ingest_assets.files.reading.chunk import Stumbled
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger import arrived
from ingest_assets.ledger.batches import ClaimedBatch, ClaimedFile
from ingest_assets.quality.file_checks import FileChecks, KeyLookup
from ingest_assets.quality.group_checks import ApartError, judge_together
from ingest_assets.quality.result import FileQuality
from ingest_assets.quality.rule_set import RuleSet
from ingest_assets.tables.key_rows import KeyRows, key_rows
from ingest_assets.tables.target import Target

History = tuple[tuple[int, int], ...]
"""File id and row count of the files that came into the table before the batch, newest first."""


@dataclass(frozen=True)
class BatchQuality:
    """What the files of one batch are put to.

    `own` and `referenced` are the tables that rules compare with, by the rules' places; `owners`
    are the ids of the rows that each file replaces.
    """

    rules: RuleSet
    own: Mapping[int, OwnKeys] = field(default_factory=dict)
    referenced: Mapping[int, ReferencedKeys] = field(default_factory=dict)
    owners: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def of_file(self, file: ClaimedFile) -> FileChecks:
        """The rules, before the first row of the file."""
        lookups: dict[int, KeyLookup] = dict(self.referenced)
        for place, keys in self.own.items():
            column = self.rules.rules[place].columns[0]
            lookups[place] = OwnLookup(keys, self.owners[file.file_id], column)
        return FileChecks(self.rules, file.file_id, lookups)

    def together(
        self, rows: pa.Table, counts: Sequence[int], files: Sequence[ClaimedFile]
    ) -> list[FileQuality]:
        """What the rules say of each file, whose rows stand one after another.

        Raises:
            Stumbled: each file has to be read alone.
        """
        file_ids = [file.file_id for file in files]
        try:
            return judge_together(self.rules, rows, counts, file_ids, self.referenced)
        except ApartError as error:
            raise Stumbled from error


def batch_quality(ingestion: Ingestion, history: History = ()) -> BatchQuality:
    """The rules of the ingestion for files that need no table to be judged."""
    return BatchQuality(RuleSet(ingestion.quality, history))


def open_quality(
    deployment: Deployment, ingestion: Ingestion, claimed: ClaimedBatch, target: Target
) -> BatchQuality:
    """The rules of the ingestion for the batch, beside what is in the ledger and the tables.

    Raises:
        CatalogError, LedgerError: a service is out of reach.
    """
    rules = RuleSet(ingestion.quality, _history(deployment, ingestion, claimed))
    referenced = referenced_keys(rules, deployment)
    column, owners = _owners(claimed)
    everyone = [owner for ids in owners.values() for owner in ids]
    own = {
        place: OwnKeys(
            None if target.base is None else KeyRows(target.base, [*rule.columns, column]),
            rule.columns,
            rules.keys,
            column,
            everyone,
        )
        for place, rule in enumerate(rules.rules)
        if rule.unique is not None and rule.unique.scope == "table"
    }
    return BatchQuality(rules, own, referenced, owners)


def referenced_keys(rules: RuleSet, deployment: Deployment | None) -> dict[int, ReferencedKeys]:
    """The tables of foreign keys as they are now, by the rules' places; None: there are none yet.

    Raises:
        CatalogError: the catalog is out of reach.
    """
    return {
        place: ReferencedKeys(
            None
            if deployment is None
            else key_rows(deployment.catalog, key.references, key.referenced),
            key,
            rules.keys,
        )
        for place, rule in enumerate(rules.rules)
        if (key := rule.foreign_key) is not None
    }


def _history(deployment: Deployment, ingestion: Ingestion, claimed: ClaimedBatch) -> History:
    last = [rule.row_count_change.last for rule in ingestion.quality if rule.row_count_change]
    if not last:
        return ()
    with deployment.ledger.transaction() as connection:
        return arrived.last_files(connection, ingestion.name, claimed.route, max(last) + 1)


def _owners(claimed: ClaimedBatch) -> tuple[str, dict[int, tuple[int, ...]]]:
    """The column and the ids of the rows that leave with each good file, as `engine.staging`."""
    if claimed.on_changed_file != "append" and not any(file.leaving for file in claimed.files):
        return "_file_id", {file.file_id: (file.file_id,) for file in claimed.files}
    return "_content_id", {
        file.file_id: (file.content_id, *file.elsewhere, *file.unwritten, *file.leaving)
        for file in claimed.files
    }


def told(quality: FileQuality) -> dict[str, Any]:
    """What the detail of the file's outcome has of it: nothing where there are no rules."""
    return {"quality": quality.to_json()} if quality.results else {}

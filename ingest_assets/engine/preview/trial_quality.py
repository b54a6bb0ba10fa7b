"""The rules that the files of a preview are put to, and those that nobody can evaluate here."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_assets.declaration.quality import TABLE_RULES, QualityRule
from ingest_assets.engine.batch_quality import BatchQuality, open_quality
from ingest_assets.engine.preview.opened_table import OpenedTable
from ingest_assets.engine.preview.services import Services
from ingest_assets.ingestion import Ingestion
from ingest_assets.ledger.batches import ClaimedBatch, ClaimedFile
from ingest_assets.ledger.outcomes import FileOutcome


@dataclass(frozen=True)
class TrialQuality:
    """`batch` has the rules of `declared` that are evaluated; `left_out` why others are not."""

    declared: Sequence[QualityRule]
    batch: BatchQuality
    left_out: tuple[tuple[QualityRule, str], ...]

    def came(self, outcomes: Sequence[FileOutcome]) -> None:
        """These files are a batch that is done: the next one compares its row counts with them."""
        good = [(o.file_id, o.rows) for o in outcomes if o.outcome == "SUCCESS"]
        ids = {file_id for file_id, _ in good}
        earlier = [pair for pair in self.batch.rules.history if pair[0] not in ids]
        self.batch.rules.history = (*reversed(good), *earlier)


def trial_quality(
    services: Services, ingestion: Ingestion, opened: OpenedTable, claims: Sequence[ClaimedFile]
) -> TrialQuality:
    """The rules as the batches of these files would have them, all batches as one.

    So a file finds the keys that those before it bring, in whichever batch.

    Raises:
        CatalogError, LedgerError: a service that answered before does not.
    """
    left_out = [
        (rule, why)
        for rule in ingestion.quality
        if (why := _why_not(rule, services, opened)) is not None
    ]
    names = {rule.check_name for rule, _ in left_out}
    asked = [rule for rule in ingestion.quality if rule.check_name not in names]
    batch = ClaimedBatch(
        "preview",
        ingestion.name,
        "",
        tuple(claims),
        on_changed_file=ingestion.source.on_changed_file,
    )
    own = ingestion.model_copy(update={"quality": asked})
    opened_rules = open_quality(services.deployment, own, batch, opened.target)
    return TrialQuality(ingestion.quality, opened_rules, tuple(left_out))


def _why_not(rule: QualityRule, services: Services, opened: OpenedTable) -> str | None:
    """What the rule needs and is not there; None where it can be evaluated."""
    if rule.kind in TABLE_RULES:
        return "it is about the table over time, and is evaluated after each batch"
    if rule.row_count_change is not None and not services.has_ledger:
        return f"it compares with files that came before: {services.why('ledger')}"
    if rule.foreign_key is not None and not services.has_catalog:
        return f"it compares with {rule.foreign_key.references}: {services.why('catalog')}"
    if rule.unique is None or rule.unique.scope != "table" or opened.exists is False:
        return None
    if not services.has_catalog:
        return f"it compares with the rows of the table: {services.why('catalog')}"
    if not services.has_ledger:
        return f"which rows of the table are a file's own is not known: {services.why('ledger')}"
    return None

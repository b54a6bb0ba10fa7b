"""The quality rules as a preview evaluates them: beside other tables, not what came before."""

from ingest_assets.engine.batch_quality import BatchQuality, referenced_keys
from ingest_assets.engine.preview.services import Services
from ingest_assets.ingestion import Ingestion
from ingest_assets.quality.rule_set import RuleSet


def rules_of(services: Services, ingestion: Ingestion) -> BatchQuality:
    """The rules for files whose ids are made up; foreign keys beside their tables, if they can be.

    Raises:
        CatalogError: it answered before and does not.
    """
    rules = RuleSet(ingestion.quality, ())
    if services.has_catalog:
        return BatchQuality(rules, referenced=referenced_keys(rules, services.deployment))
    return BatchQuality(
        rules, referenced=referenced_keys(rules, None) if services.has_no_table else {}
    )


def half_looked_at(services: Services, ingestion: Ingestion) -> list[str]:
    """What those rules were not compared with, for which they would hold too easily."""
    said = []
    is_asked = services.has_catalog or services.has_no_table
    for rule in ingestion.quality:
        if rule.unique is not None and rule.unique.scope == "table":
            left = (
                "the rows of the table and of other files were not looked at, only the file's own"
            )
        elif rule.row_count_change is not None:
            left = "files that came in before were not looked at, so it holds here"
        elif rule.foreign_key is not None and not is_asked:
            left = f"{rule.foreign_key.references} was not looked at, so it holds here"
        else:
            continue
        said.append(f"{rule.check_name}: {left}.")
    return said

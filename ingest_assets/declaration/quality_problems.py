"""What the rules of quality and the declared columns say of each other that does not fit."""

from collections.abc import Iterator, Sequence

from ingest_assets.declaration.quality import TABLE_RULES
from ingest_assets.files.reading.chunk import rows_schema
from ingest_assets.ingestion import Declaration
from ingest_assets.quality.expressions import Expressions
from ingest_assets.quality.rule_set import RuleSet
from ingest_assets.quality.typed_values import UnfitRuleError


def quality_problems(declarations: Sequence[Declaration]) -> list[str]:
    """The rules on a column that is not declared, or not of that type; SQL that does not parse.

    Where no columns are declared, only the latter is known before a file is read.
    """
    problems: list[str] = []
    expressions = Expressions()
    for declaration in declarations:
        rules, columns = declaration.ingestion.quality, declaration.ingestion.schema_rules
        if not rules or not columns.declared_columns:
            problems += _unparsed(declaration, expressions)
            continue
        found = RuleSet(rules, expressions=expressions).ready(rows_schema(columns.declared_columns))
        places = [place for place, rule in enumerate(rules) if rule.kind not in TABLE_RULES]
        problems += [
            f"{declaration.path}: attributes.quality.{places[place]}: {error}; mend the rule, or "
            "declare what it is about in schema.columns"
            for place, error in sorted(found.unfit.items())
        ]
    return problems


def _unparsed(declaration: Declaration, expressions: Expressions) -> Iterator[str]:
    for place, rule in enumerate(declaration.ingestion.quality):
        if rule.sql is None:
            continue
        try:
            expressions.parse(rule.sql)
        except UnfitRuleError as error:
            yield (
                f"{declaration.path}: attributes.quality.{place}.sql: {error}; write an expression "
                "that is true of a good row, as in amount >= 0"
            )

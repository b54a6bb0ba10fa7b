"""The rules that a file is put to, made ready for the rows of one schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from ingest_assets.declaration.quality import TABLE_RULES, QualityRule
from ingest_assets.quality.expressions import Expressions
from ingest_assets.quality.row_masks import MASKED, Masking, check_columns, masking
from ingest_assets.quality.typed_values import UnfitRuleError
from ingest_assets.schema.types import format_type


@dataclass(frozen=True)
class Ready:
    """Rules for rows of `schema`: those that are masks, SQL expressions, and why others are not."""

    schema: pa.Schema
    masks: Mapping[int, Masking]
    expressions: Mapping[int, str]
    unfit: Mapping[int, UnfitRuleError]


@dataclass
class RuleSet:
    """The rules of one ingestion that are about files; one serves many files and threads.

    `history` are the file id and row count of the files that came before the batch, newest first.
    """

    declared: Sequence[QualityRule]
    history: Sequence[tuple[int, int]] = ()
    expressions: Expressions = field(default_factory=Expressions)
    rules: Sequence[QualityRule] = field(init=False)

    def __post_init__(self) -> None:
        self.rules = [rule for rule in self.declared if rule.kind not in TABLE_RULES]
        self._ready: Ready | None = None

    def of_kind(self, *kinds: str) -> list[tuple[int, QualityRule]]:
        """The rules of these kinds, with their places."""
        return [(place, rule) for place, rule in enumerate(self.rules) if rule.kind in kinds]

    def earlier_counts(self, file_id: int) -> list[int]:
        """The row counts of the files before, without the file itself; newest first."""
        return [rows for other, rows in self.history if other != file_id]

    def ready(self, schema: pa.Schema) -> Ready:
        """The rules for rows of this schema."""
        ready = self._ready
        if ready is None or not ready.schema.equals(schema):
            ready = self._ready = self._made_ready(schema)
        return ready

    def _made_ready(self, schema: pa.Schema) -> Ready:
        masks: dict[int, Masking] = {}
        expressions: dict[int, str] = {}
        unfit: dict[int, UnfitRuleError] = {}
        for place, rule in enumerate(self.rules):
            try:
                if rule.kind in MASKED:
                    masks[place] = masking(rule, schema)
                elif rule.sql is not None:
                    self.expressions.check(rule.sql, schema)
                    expressions[place] = rule.sql
                else:
                    check_columns(rule, schema)
                    if rule.kind in ("unique", "foreign_key"):
                        _check_keys(rule, schema)
            except UnfitRuleError as error:
                unfit[place] = error
        return Ready(schema, masks, expressions, unfit)

    def failing_rows(self, rows: pa.Table) -> dict[int, np.ndarray | UnfitRuleError]:
        """Of each rule about single rows, by its place: the rows that break it, or why not known.

        All in one pass; nothing is copied.
        """
        ready = self.ready(rows.schema)
        found: dict[int, np.ndarray | UnfitRuleError] = {
            place: mask(rows).to_numpy() for place, mask in ready.masks.items()
        }
        return {**found, **self._by_expressions(ready.expressions, rows)}

    def _by_expressions(
        self, expressions: Mapping[int, str], rows: pa.Table
    ) -> dict[int, np.ndarray | UnfitRuleError]:
        """All in one query; where one cannot be computed, each by itself."""
        if not expressions:
            return {}
        try:
            masks = self.expressions.masks(list(expressions.values()), rows)
        except UnfitRuleError as error:
            if len(expressions) == 1:
                return dict.fromkeys(expressions, error)
            alone = ({place: expression} for place, expression in expressions.items())
            return {k: v for one in alone for k, v in self._by_expressions(one, rows).items()}
        return {place: mask.to_numpy() for place, mask in zip(expressions, masks, strict=True)}

    def keys(self, rows: pa.Table, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """A hash of each row's values in the columns, and whether none of them is null."""
        hashes = self.expressions.hashes(rows, columns)
        whole = np.ones(rows.num_rows, bool)
        for name in columns:
            if rows[name].null_count:
                whole &= rows[name].is_valid().to_numpy()
        return hashes, whole


def _check_keys(rule: QualityRule, schema: pa.Schema) -> None:
    for name in rule.columns:
        type_ = schema.field(name).type
        if pt.is_nested(type_):
            raise UnfitRuleError(f"{name} is {format_type(type_)}, and a key is a plain value")

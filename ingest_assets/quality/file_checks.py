"""One file put to the rules: its rows pass chunk by chunk, and at the end there is a result each.

Rules about single rows come first. The rows that they reject are out: rules about keys look at the
others, one rule after the other, so that no row is a double of one that is not in the table; and
rules about the whole file count what goes into the table. Memory does not grow with the file, but
for 8 bytes a key, which go to disk.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa

from ingest_assets.quality import whole_file
from ingest_assets.quality.key_set import KeySet, repeated
from ingest_assets.quality.rejecting import rejected_records
from ingest_assets.quality.result import FileQuality, RuleResult
from ingest_assets.quality.rule_set import RuleSet
from ingest_assets.quality.tally import Tally
from ingest_assets.quality.typed_values import UnfitRuleError


class KeyLookup(Protocol):
    """Keys of one file compared with a table's; only rules that need a table have one."""

    def failing(self, rows: pa.Table, hashes: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Which of the rows that are asked for break the rule.

        Raises:
            UnfitRuleError: the table cannot be compared with.
        """
        ...

    def keep(self, hashes: np.ndarray) -> None:
        """These keys of the file go into the table, if the file does."""
        ...

    def accept(self) -> None:
        """The file goes into the table."""
        ...


class FileChecks:
    """The rules over one file; `lookups` are those of its rules that need a table, by place."""

    def __init__(
        self, rules: RuleSet, file_id: int, lookups: Mapping[int, KeyLookup] | None = None
    ) -> None:
        self._set = rules
        self._file_id = file_id
        self._lookups = lookups or {}
        self._tallies = [Tally(rule) for rule in rules.rules]
        self._seen = {place: KeySet() for place, _ in rules.of_kind("unique")}
        self._nulls = dict.fromkeys((place for place, _ in rules.of_kind("null_ratio")), 0)
        self._kept_rows = self._rejected_rows = 0

    def take(self, rows: pa.Table) -> tuple[pa.Table, pa.Table | None]:
        """The rows that go into the table if the file does, and those that rules reject, if any.

        `rows` have `_source_row`; what is rejected is `source_row`, `raw`, `reason`.
        """
        if not rows.num_rows or not self._set.rules:
            self._kept_rows += rows.num_rows
            return rows, None
        self._note_unfit(rows.schema)
        rejecting: dict[int, np.ndarray] = {}
        kept = np.ones(rows.num_rows, bool)
        for place, failing in self._set.failing_rows(rows).items():
            self._add(place, rows, failing, rejecting)
        for mask in rejecting.values():
            kept &= ~mask
        for place, _ in (*self._set.of_kind("foreign_key"), *self._set.of_kind("unique")):
            kept = self._put_keys(place, rows, kept, rejecting)
        rejected = None
        if not kept.all():
            rejected = rejected_records(rows, self._set.rules, rejecting)
            rows = rows.filter(pa.array(kept))
            self._rejected_rows += rejected.num_rows
        self._kept_rows += rows.num_rows
        for place in self._nulls:
            if self._tallies[place].unfit is None:
                self._nulls[place] += rows[self._set.rules[place].columns[0]].null_count
        return rows, rejected

    def _note_unfit(self, schema: pa.Schema) -> None:
        for place, error in self._set.ready(schema).unfit.items():
            self._tallies[place].unfit = str(error)

    def _add(
        self,
        place: int,
        rows: pa.Table,
        failing: np.ndarray | UnfitRuleError,
        rejecting: dict[int, np.ndarray],
        judged: int | None = None,
    ) -> None:
        if isinstance(failing, UnfitRuleError):
            self._tallies[place].unfit = str(failing)
            return
        self._tallies[place].add(rows, failing, judged)
        if self._set.rules[place].action == "reject_rows" and failing.any():
            rejecting[place] = failing

    def _put_keys(
        self,
        place: int,
        rows: pa.Table,
        kept: np.ndarray,
        rejecting: dict[int, np.ndarray],
    ) -> np.ndarray:
        """The rule about keys is put to the rows that are kept; those that are kept after it."""
        rule = self._set.rules[place]
        if self._tallies[place].unfit is not None:
            return kept
        hashes, whole = self._set.keys(rows, rule.columns)
        asked = kept & whole
        try:
            failing = self._failing_keys(place, rows, hashes, asked)
        except UnfitRuleError as error:
            self._tallies[place].unfit = str(error)
            return kept
        self._add(place, rows, failing, rejecting, int(np.count_nonzero(kept)))
        after = kept & ~failing if place in rejecting else kept
        if place in self._seen:
            self._seen[place].add(hashes[asked & after])
        if place in self._lookups:
            self._lookups[place].keep(hashes[asked & after])
        return after

    def _failing_keys(
        self, place: int, rows: pa.Table, hashes: np.ndarray, asked: np.ndarray
    ) -> np.ndarray:
        failing = np.zeros(rows.num_rows, bool)
        if place in self._seen:
            failing = repeated(hashes, asked) | (asked & self._seen[place].contains(hashes))
        if place in self._lookups:
            failing |= self._lookups[place].failing(rows, hashes, asked)
        return failing

    def finish(self) -> FileQuality:
        """What the rules say of the file, all of whose rows have passed."""
        results = tuple(self._result(place) for place in range(len(self._tallies)))
        return FileQuality(results, self._rejected_rows)

    def accept(self) -> None:
        """The file goes into the table: the files after it find its keys there."""
        for lookup in self._lookups.values():
            lookup.accept()

    def _result(self, place: int) -> RuleResult:
        rule, tally = self._set.rules[place], self._tallies[place]
        if tally.unfit is not None:
            return tally.result()
        match rule.kind:
            case "row_count":
                return whole_file.row_count(rule, self._kept_rows)
            case "row_count_change":
                earlier = self._set.earlier_counts(self._file_id)
                return whole_file.row_count_change(rule, self._kept_rows, earlier)
            case "null_ratio":
                return whole_file.null_ratio(rule, self._kept_rows, self._nulls[place])
        return tally.result()

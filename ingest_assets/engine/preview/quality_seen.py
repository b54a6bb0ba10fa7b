"""The quality rules as checks: what each says of all files together, and why one says nothing."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ingest_assets.declaration.quality import QualityRule
from ingest_assets.engine.preview.report import CheckSeen
from ingest_assets.engine.preview.trial import Trial
from ingest_assets.quality.description import described
from ingest_assets.quality.result import FileQuality, RuleResult
from ingest_assets.quality.tally import where

_FATES = {
    "fail_file": "such a file stays out",
    "reject_rows": "such rows are rejected",
    "warn": "all goes in",
}
_Results = Sequence[tuple[str, RuleResult]]
"""By the files' keys."""


def quality_seen(trial: Trial) -> Iterator[CheckSeen]:
    """A check for each rule, in the order in which they are declared."""
    found: dict[str, list[tuple[str, RuleResult]]] = defaultdict(list)
    for file in trial.tried:
        told = {} if file.outcome is None else file.outcome.detail.get("quality") or {}
        for result in FileQuality.from_json(told).results:
            found[result.name].append((file.source.key, result))
    reasons = {rule.check_name: why for rule, why in trial.quality.left_out}
    for rule in trial.quality.declared:
        name = rule.check_name
        if name in reasons:
            yield _left_out(rule, reasons[name])
        elif not found[name]:
            yield _left_out(rule, "no file was read to its end")
        else:
            yield _check(rule, found[name])


def _left_out(rule: QualityRule, why: str) -> CheckSeen:
    return CheckSeen(
        rule.check_name,
        passed=False,
        is_blocking=rule.action == "fail_file",
        said=f"{described(rule)}: not evaluated; {why}",
        is_evaluated=False,
        on_fail=rule.action,
    )


def _check(rule: QualityRule, results: _Results) -> CheckSeen:
    failed = [(key, result) for key, result in results if not result.has_passed]
    return CheckSeen(
        rule.check_name,
        passed=not failed,
        is_blocking=rule.action == "fail_file",
        said=_said(rule, failed) if failed else f"{described(rule)}: holds",
        failed=tuple(key for key, _ in failed),
        on_fail=rule.action,
        rows=sum(result.rows for _, result in results),
        failed_rows=sum(result.failed_rows for _, result in results),
        samples=tuple(f"{key}: {where(result)}" for key, result in failed if result.failed_rows),
    )


def _said(rule: QualityRule, failed: _Results) -> str:
    """Of rules about rows what all files have together, of the others the first file's words."""
    key, first = failed[0]
    rows = sum(result.failed_rows for _, result in failed)
    if not rows:
        return f"{key}: {first.said.rstrip('.')}; {_FATES[rule.action]}"
    of = sum(result.rows for _, result in failed)
    return (
        f"{rows:,} of the {of:,} rows of {len(failed)} file{'s' if len(failed) > 1 else ''} break "
        f"it: {described(rule)}; {_FATES[rule.action]}. In {key}, {where(first) or first.said}"
    )

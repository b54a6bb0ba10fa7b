"""Comparisons with peers as Markdown."""

import statistics
from collections.abc import Iterable

from benchmarks.peers import Comparison, Measured

_HEAD = (
    "| | CPU seconds | of the floor's | wall seconds | peak MB | rows | commits |",
    "|---|---|---|---|---|---|---|",
)


def as_markdown(comparison: Comparison) -> str:
    """A table: ours, the floor, then the peers by their CPU; those that failed last, with why.

    Figures are medians. Rows are what the table really holds, beside what was expected if that is
    another number.
    """
    base = _cpu(comparison.floor)
    ours, startup = comparison.ours, comparison.startup
    work = statistics.median(
        mine.cpu_seconds - idle.cpu_seconds
        for mine, idle in zip(ours.costs, startup.costs, strict=True)
    )
    done = [peer for peer in comparison.peers if peer.costs]
    done.sort(key=lambda peer: _median(cost.cpu_seconds for cost in peer.costs))
    failed = [peer for peer in comparison.peers if not peer.costs]
    lines = [
        f"Workload {comparison.workload}: {comparison.expected_rows:,} rows.",
        "",
        *_HEAD,
        _line(comparison.floor, base, comparison.expected_rows),
        _line(ours, base, comparison.expected_rows),
        _cells("ours, start-up apart", f"{work:.2f}", f"{work / base:.2f}", "", "", "", ""),
        *(_line(peer, base, comparison.expected_rows) for peer in done),
        *(_cells(peer.title, peer.failure or "", "", "", "", "", "") for peer in failed),
    ]
    return "\n".join(lines)


def _line(measured: Measured, base: float, expected_rows: int) -> str:
    title = measured.title
    if measured.failure:
        title += f" (then {measured.failure})"
    tables = [table for table in measured.tables if table is not None]
    counts = sorted({table.rows for table in tables})
    rows = ", ".join("all" if count == expected_rows else f"**{count:,}**" for count in counts)
    commits = ", ".join(str(count) for count in sorted({table.commits for table in tables}))
    return _cells(
        title,
        f"{_cpu(measured):.2f}",
        f"{_cpu(measured) / base:.2f}",
        f"{_median(cost.wall_seconds for cost in measured.costs):.1f}",
        f"{_median(cost.peak_mb for cost in measured.costs):.0f}",
        rows or "no Iceberg table",
        commits,
    )


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cpu(measured: Measured) -> float:
    return _median(cost.cpu_seconds for cost in measured.costs)


def _median(figures: Iterable[float]) -> float:
    return statistics.median(figures)

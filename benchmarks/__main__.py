"""The benchmarks' command line.

python -m benchmarks run A [B C] [--repeat 3] [--scale 1.0]
python -m benchmarks peers [--workloads A B C] [--peers duckdb ...] [--python PATH] [--repeat 1]
python -m benchmarks large [--formats json csv ...] [--sizes 0.1 1 5]
python -m benchmarks quality [--repeat 3]
python -m benchmarks bookkeeping [--files 1000]
python -m benchmarks load [--files 10000] [--runs 1]
python -m benchmarks replacements
python -m benchmarks merge [--repeat 3]
python -m benchmarks transforms [--repeat 3]
python -m benchmarks compaction [--files 500]
python -m benchmarks growth [--files 1000000] [--live 50000] [--history 50000] [--repeat 12]
python -m benchmarks partitions-page [--live 50000] [--history 50000] [--screenshot page.png]
python -m benchmarks many [--ingestions 1000] [--parts loading starting rounds]
"""

import argparse
import json
from typing import Any

from benchmarks import (
    bookkeeping,
    compaction,
    growth,
    ingestion,
    large,
    many,
    merging,
    partitions_page,
    quality,
    replacements,
    transforms,
)
from benchmarks.load import load
from benchmarks.peer_report import as_markdown
from benchmarks.peers import PEERS, compare, interpreter, versions
from benchmarks.workloads import WORKLOADS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What ingestion costs, beside a floor."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_workloads(commands)
    _add_large(commands)
    _add_dagsters_part(commands)
    _add_growth(commands)
    _add_transforms(commands)
    arguments = parser.parse_args()
    arguments.act(arguments)


def _add_workloads(commands: Any) -> None:
    work = commands.add_parser("run", help="workloads through `ingest-assets run`")
    work.add_argument("workloads", nargs="+", choices=sorted(WORKLOADS))
    work.add_argument("--repeat", type=int, default=3)
    work.set_defaults(act=_run)
    beside = commands.add_parser("peers", help="ours, the floor and other libraries, in one run")
    beside.add_argument(
        "--workloads", nargs="+", choices=sorted(WORKLOADS), default=["A", "B", "C"]
    )
    beside.add_argument("--peers", nargs="+", choices=sorted(PEERS), default=list(PEERS))
    beside.add_argument("--python", default=interpreter(), help="of the peers; `make peers`")
    beside.add_argument("--repeat", type=int, default=1)
    beside.set_defaults(act=_peers)
    for command in (work, beside):
        command.add_argument("--scale", type=float, default=1.0, help="a share of the size")


def _add_transforms(commands: Any) -> None:
    beside = commands.add_parser("transforms", help="reading with and without `transform`")
    beside.add_argument("--repeat", type=int, default=3)
    beside.set_defaults(act=lambda arguments: _print(transforms.measure(arguments.repeat)))


def _run(arguments: argparse.Namespace) -> None:
    for name in arguments.workloads:
        _print(ingestion.measure(WORKLOADS[name], arguments.repeat, arguments.scale))


def _peers(arguments: argparse.Namespace) -> None:
    print(", ".join(f"{name} {found}" for name, found in versions(arguments.python).items()))
    for name in arguments.workloads:
        workload, repeat = WORKLOADS[name], arguments.repeat
        done = compare(workload, arguments.peers, arguments.python, repeat, arguments.scale)
        print(f"\n{as_markdown(done)}", flush=True)


def _add_large(commands: Any) -> None:
    huge = commands.add_parser("large", help="one large file of each format")
    huge.add_argument("--formats", nargs="+", choices=large.FORMATS, default=list(large.FORMATS))
    huge.add_argument("--sizes", nargs="+", type=float, default=[0.1, 1, 5], help="in GB")
    huge.set_defaults(act=lambda asked: large.measure(asked.formats, asked.sizes))


def _add_dagsters_part(commands: Any) -> None:
    rules = commands.add_parser("quality", help="files with and without rules of quality")
    rules.add_argument("--repeat", type=int, default=3)
    rules.set_defaults(act=lambda asked: _print(quality.measure(asked.repeat)))
    books = commands.add_parser("bookkeeping", help="Dagster's cost a file, stock and ours")
    books.add_argument("--files", type=int, default=1000)
    books.set_defaults(act=lambda asked: _print(bookkeeping.run(asked.files)))
    burst = commands.add_parser("load", help="many small files at once, until all are green")
    burst.add_argument("--files", type=int, default=10_000)
    burst.add_argument("--runs", type=int, default=1, help="runs of the ingestion side by side")
    burst.set_defaults(act=lambda asked: _print(load(asked.files, asked.runs)))
    crowd = commands.add_parser("many", help="many ingestions: loading, run start, sensors")
    crowd.add_argument("--ingestions", type=int, default=1000)
    crowd.add_argument("--parts", nargs="+", choices=many.PARTS, default=many.PARTS)
    crowd.set_defaults(act=lambda asked: _print(many.run(asked.ingestions, asked.parts)))
    changed = commands.add_parser("replacements", help="100 changed files in a table of 1000")
    changed.set_defaults(act=lambda _: replacements.measure())
    merged = commands.add_parser("merge", help="10,000 rows merged into a table of 1,000,000")
    merged.add_argument("--repeat", type=int, default=3)
    merged.set_defaults(act=lambda asked: merging.measure(asked.repeat))
    small = commands.add_parser("compaction", help="scans of many small data files, and of few")
    small.add_argument("--files", type=int, default=500)
    small.set_defaults(act=lambda asked: compaction.measure(asked.files))


def _add_growth(commands: Any) -> None:
    grown = commands.add_parser("growth", help="a tick and its run on a full and an empty ledger")
    grown.add_argument("--files", type=int, default=1_000_000)
    grown.add_argument("--repeat", type=int, default=12)
    grown.set_defaults(act=_growth)
    page = commands.add_parser("partitions-page", help="until the UI shows an asset's partitions")
    page.add_argument("--screenshot", help="a PNG file for what was shown")
    page.set_defaults(act=_partitions_page)
    for command in (grown, page):
        command.add_argument("--live", type=int, default=50_000, help="partitions in the set")
        command.add_argument("--history", type=int, help="files that Dagster knows; the live")


def _growth(arguments: argparse.Namespace) -> None:
    history = arguments.history or arguments.live
    _print(growth.measure(arguments.files, arguments.live, history, arguments.repeat))


def _partitions_page(arguments: argparse.Namespace) -> None:
    history = arguments.history or arguments.live
    _print(partitions_page.measure(arguments.live, history, arguments.screenshot))


def _print(measured: object) -> None:
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()

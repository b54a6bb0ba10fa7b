"""The benchmarks' command line.

python -m benchmarks run A [B C] [--repeat 3] [--scale 1.0]
python -m benchmarks bookkeeping [--files 1000]
"""

import argparse
import json

from benchmarks import bookkeeping, ingestion
from benchmarks.workloads import WORKLOADS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What ingestion costs, beside a floor."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    work = commands.add_parser("run", help="workloads through `ingest-assets run`")
    work.add_argument("workloads", nargs="+", choices=sorted(WORKLOADS))
    work.add_argument("--repeat", type=int, default=3)
    work.add_argument("--scale", type=float, default=1.0, help="a share of the workload's size")
    books = commands.add_parser("bookkeeping", help="Dagster's cost a file, stock and ours")
    books.add_argument("--files", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.command == "bookkeeping":
        print(json.dumps(bookkeeping.run(arguments.files), indent=2))
        return
    for name in arguments.workloads:
        result = ingestion.measure(WORKLOADS[name], arguments.repeat, arguments.scale)
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

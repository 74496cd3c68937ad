"""`python -m tests.benchmarks [--only NAME ...] [--rounds N] [--directory DIR] [--json]`.

Exit status 1: a measurement failed or a goal was missed.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from litewf.cli.benchmarks import rounds
from litewf.cli.benchmarks.report import screen
from tests.benchmarks import report
from tests.benchmarks.catalog import WORKLOADS


def main() -> int:
    options = _options()
    chosen = [workload for workload in WORKLOADS if not options.only or workload.name in options.only]
    progress = Console(stderr=True)
    with progress.status("measuring") as status:
        results = rounds.measure(chosen, options.rounds, options.directory, status.update)
    if options.json:
        print(report.as_json(results, options.rounds))
    else:
        report.show(screen(), results, options.rounds)
    return 0 if report.is_good(results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=_positive, default=3, metavar="N", help="default: 3")
    parser.add_argument("--directory", type=Path, help="where the files go; a real disk, not tmpfs")
    parser.add_argument("--json", action="store_true", help="every round's figures as JSON")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())

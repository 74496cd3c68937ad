"""The command line: a run over many cases, or one case again."""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys

from fuzz import __doc__ as usage
from fuzz.campaign import PATIENCE_S, Campaign
from fuzz.tally import SHOWN, Tally
from fuzz.targets import TARGETS
from fuzz.worker import attempt


def main(arguments: list[str] | None = None) -> int:
    """Read the options and run; 1 when a promise was broken."""
    options = _parser().parse_args(arguments)
    if options.target is not None:
        return again(options.target, options.seed, options.case)
    return campaign(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", type=known, help="run one case of this target")
    parser.add_argument("--case", type=int, default=0, help="its number")
    parser.add_argument("--seed", type=int, default=None, help="of all chances; drawn and printed unless given")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long a run goes on")
    parser.add_argument("--cases", type=int, default=None, help="end once each target has run so many cases")
    parser.add_argument("--only", nargs="+", type=known, default=TARGETS, metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds with one case, before it hangs")
    return parser


def known(name: str) -> str:
    """The name of a target; one with a dot is a module that stands elsewhere."""
    if name not in TARGETS and "." not in name:
        raise argparse.ArgumentTypeError(f"there is no {name}; choose from {', '.join(TARGETS)}")
    return name


def again(target: str, seed: int | None, number: int) -> int:
    """Run one case here, and say what it met."""
    faulthandler.enable()
    done = attempt(target, seed or 0, number)
    for kind, times in sorted(done.kinds.items()):
        print(f"{times:>12,}  {kind}")
    print(f"{done.cycles} cycles in {done.seconds:.2f} s")
    if done.story is not None:
        print(done.story, file=sys.stderr)
    return int(done.story is not None)


def campaign(options: argparse.Namespace) -> int:
    """Run many cases, and tell how it goes."""
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}: {', '.join(options.only)}", flush=True)
    run = Campaign(options.only, seed, processes=options.processes, patience_s=options.patience)
    screen = Screen(run.tally)
    tally = run.run(options.minutes * 60, most=options.cases, tell=screen.show)
    screen.end()
    print("\n".join(tally.table()))
    return int(bool(tally.violations))


class Screen:
    """One line that changes, and violations as they come."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._told = 0
        self._clock = ""

    def show(self, line: str) -> None:
        for violation in self._tally.violations[self._told : SHOWN]:
            print(f"\n{violation.story.rstrip()}\nVIOLATION, again with: {violation.command}", flush=True)
        self._told = len(self._tally.violations)
        clock = line.partition(" ")[0]
        if not sys.stdout.isatty():
            clock = clock.partition(":")[0]  # in a log, a line for each minute
        if clock != self._clock:
            self._clock = clock
            print(f"\r{line}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)

    def end(self) -> None:
        print(flush=True)


if __name__ == "__main__":
    sys.exit(main())

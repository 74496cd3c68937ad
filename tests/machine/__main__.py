"""The machine on the command line; see tests.machine.running."""

import argparse
import json
import sys

from tests.machine.running import play, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--examples", type=int)
    parser.add_argument("--story", help="play this once more, and nothing else")
    options = parser.parse_args()
    if options.story is not None:
        play(json.loads(options.story))
        print("nothing went wrong")
        return 0
    if options.minutes is None and options.examples is None:
        parser.error("say --minutes, --examples or --story")
    counts = run(options.seed, minutes=options.minutes, examples=options.examples)
    print(counts)
    for kind, found in (("rules", counts.rules), ("deaths at", counts.deaths_at)):
        print(f"{kind}: {', '.join(f'{name} {count}' for name, count in found.most_common())}")
    for failure in counts.failures:
        print(failure)
    return 1 if counts.failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Random cron expressions in random zones and years, compared with the clock on the wall, for as long as one likes.

    python -m fuzz.schedule_times --seconds 600 --seed 7

It says how many windows it has looked at. A failure names zone, expression and window, and is found again by its seed.
"""

from __future__ import annotations

import argparse
import random
import time
from datetime import timedelta
from itertools import takewhile
from zoneinfo import available_timezones

from litewf.cron import ticks
from tests.schedules import oracle

FIRST_YEAR, LAST_YEAR = 1973, 2036  # before that, zones moved by other than full minutes


def look(chance: random.Random, zones: list[str]) -> int:
    """Compare around the changes of one year in one zone; how many windows."""
    zone, year = chance.choice(zones), chance.randint(FIRST_YEAR, LAST_YEAR)
    changes = list(oracle.changes(zone, oracle.first_of(year), oracle.first_of(year + 1)))
    for change in changes:
        start, end = (
            change - timedelta(hours=chance.randrange(3, 40)),
            change + timedelta(hours=chance.randrange(3, 40)),
        )
        moments = oracle.wall(zone, start, end)
        for _ in range(5):
            fields = oracle.random_fields(chance)
            ours = takewhile(lambda tick: tick < end, ticks(fields.text, zone, start, end))  # noqa: B023 - used at once
            assert list(ours) == oracle.ticks(fields, moments), (zone, fields.text, start, end)
    return len(changes)


def main() -> None:
    """Read the options, then look until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chance, windows = random.Random(options.seed), 0
    zones = sorted(available_timezones() - {"localtime", "Factory"})
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        windows += look(chance, zones)
    print(f"{windows} windows of days around a change, 5 expressions each: all as the clock shows")


if __name__ == "__main__":
    main()

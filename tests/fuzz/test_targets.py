"""Every target runs, meets what it is there for, and finds nothing; `python -m fuzz` goes on from here for longer."""

import pytest

from fuzz.targets import TARGETS
from fuzz.worker import attempt

SEED = 2
# How many cases, and kinds of faults or input that must have occurred in them.
EXPECTED = {
    "machine": (1, {"rule start"}),
    "codec": (4, {"value: dict", "value refused: refused", "text: names what is not data", "text: nested deep"}),
    "cron": (3, {"every hour", "at times of the day", "an expression or a zone that is refused"}),
    "cloud_events": (2, {"structured, answered 202", "binary, answered 400", "spoilt: a wrong length"}),
    "http": (2, {"GET /health/live answered 200", "GET /nowhere answered 404"}),
    "wal": (4, {"cut: torn sectors", "cut: process death", "bit flip: refused"}),
    "files": (8, {"opened: everything came to its end"}),
    "rows": (8, {"the workflow: comes to its result"}),
    "process_death": (6, {"death number 1 of one file", "death number 2 of one file"}),
    "power_loss": (1, {"torn sectors"}),
    "sigkill": (1, {"SIGKILL while it worked"}),
}

# Cases that have found something, by seed: the corpus of what needs no file of its own, as those of the machine do.
FOUND = {
    20261129: [("files", 73), ("files", 508), ("files", 1524), ("machine", 39), ("machine", 101), ("machine", 124),
               ("machine", 133), ("process_death", 753)],
    20261208: [("codec", 1276), ("power_loss", 170), ("wal", 2781)],
    20261210: [("rows", 44)],
    20261302: [("codec", 16319)],
    20261501: [("rows", 1085)],
}  # fmt: skip


def test_every_target_is_tried_here():
    assert set(EXPECTED) == set(TARGETS)


@pytest.mark.parametrize("target", EXPECTED)
def test_a_few_cases_find_nothing(target):
    cases, kinds = EXPECTED[target]
    met = set()
    for number in range(cases):
        done = attempt(target, SEED, number)
        assert done.story is None, f"python -m fuzz {target} --case {number} --seed {SEED}\n{done.story}"
        met |= done.kinds.keys()
    assert met >= kinds


@pytest.mark.parametrize(
    ("seed", "target", "number"), [(seed, *case) for seed, cases in FOUND.items() for case in cases]
)
def test_what_was_found_once_is_not_found_again(seed, target, number):
    done = attempt(target, seed, number)
    assert done.story is None, f"python -m fuzz {target} --case {number} --seed {seed}\n{done.story}"

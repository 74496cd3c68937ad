"""`litewf schedules`, against an engine in another process."""

import re
from pathlib import Path

import pytest

from tests.cli.live import Here


def test_a_schedule_is_created_shown_paused_and_deleted(here: Here, shop: Path) -> None:
    made = here("schedules", "create", "yearly", "tick", "0 9 1 1 *", "--timezone", "Europe/Berlin", "--db", shop)
    assert re.fullmatch(r"yearly: next \d{4}-01-01 09:00:00 Europe/Berlin\n", made.out)
    row = here("schedules", "list", "--db", shop).lines[1]
    assert re.match(r"yearly    tick      0 9 1 1 \*  Europe/Berlin  \d{4}-01-01 09:00:00  -  ", row)
    facts = here("schedules", "show", "yearly", "--db", shop).out
    assert re.search(r"^next at +\d{4}-01-01 09:00:00 Europe/Berlin$", facts, re.MULTILINE)
    shown = here("schedules", "show", "yearly", "--json", "--db", shop).json
    assert (shown["workflow"], shown["on_missed"], shown["paused"]) == ("tick", "skip", False)
    assert here("schedules", "pause", "yearly", "--db", shop).out == "yearly: paused\n"
    assert here("schedules", "resume", "yearly", "--db", shop).out == made.out
    assert here("schedules", "delete", "yearly", "--db", shop).out == "yearly\n"
    assert here("schedules", "list", "--db", shop).err == "there is no schedule\n"


def test_a_schedule_is_triggered_and_backfilled(here: Here, shop: Path) -> None:
    here("schedules", "create", "daily", "tick", "0 6 * * *", "--db", shop)
    [triggered] = here("schedules", "trigger", "daily", "--db", shop).lines
    assert here("result", triggered, "--timeout", "30s", "--db", shop).status == 0
    ids = here("schedules", "backfill", "daily", "2026-03-01T00:00Z", "2026-03-03T00:00Z", "--db", shop).lines
    assert ids == ["daily@2026-03-01T06:00:00Z", "daily@2026-03-02T06:00:00Z"]
    assert here("result", ids[1], "--timeout", "30s", "--db", shop).out == '"2026-03-02T06:00:00+00:00"\n'


@pytest.mark.parametrize("verb", ["show", "pause", "resume", "trigger", "delete"])
def test_a_schedule_that_is_not_there_is_exit_status_3(here: Here, shop: Path, verb: str) -> None:
    done = here("schedules", verb, "nowhere", "--db", shop)
    assert (done.status, len(done.err.splitlines())) == (3, 1)
    assert "litewf schedules create makes one" in done.err


@pytest.mark.parametrize(
    "given",
    [("x", "tick", "99 * * * *"), ("x", "tick", "0 9 * * *", "--timezone", "Atlantis"), ("x", "tick", "0 9 * * *",
     "--overlap", "never"), ("a~b", "tick", "0 9 * * *")],
    ids=["cron", "zone", "overlap", "name"],
)  # fmt: skip
def test_what_no_schedule_can_be_is_a_usage_error(here: Here, shop: Path, given: tuple[str, ...]) -> None:
    assert here("schedules", "create", *given, "--db", shop).status == 2

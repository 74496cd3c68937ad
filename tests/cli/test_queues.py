"""`litewf queues`, against an engine in another process."""

from pathlib import Path

import pytest

from tests.cli.live import Here


def test_limits_are_created_changed_and_lifted(here: Here, shop: Path) -> None:
    def limits() -> dict[str, object]:
        return next(one for one in here("queues", "list", "--json", "--db", shop).json if one["name"] == "mail")

    assert here("queues", "create", "mail", "--global-concurrency", "3", "--rate", "10/1m", "--priorities",
                "--db", shop) == (0, "mail\n", "")  # fmt: skip
    made = limits()
    assert (made["global_concurrency"], made["rate_limit"], made["priority_enabled"]) == (
        3,
        {"limit": 10, "period": 60.0},
        True,
    )
    assert here("queues", "update", "mail", "--rate", "none", "--worker-concurrency", "2", "--db", shop).status == 0
    changed = limits()
    assert (changed["global_concurrency"], changed["worker_concurrency"], changed["rate_limit"]) == (3, 2, None)
    assert here("queues", "delete", "mail", "--db", shop).status == 0


def test_a_paused_queue_starts_nothing_until_it_is_resumed(here: Here, shop: Path) -> None:
    here("queues", "create", "slow", "--db", shop)
    assert here("queues", "pause", "slow", "--db", shop).out == "slow\n"
    here("enqueue", "slow", "greet", "hal", "--id", "p-1", "--db", shop)
    row = next(line for line in here("queues", "list", "--db", shop).lines if line.startswith("slow"))
    assert row.split() == ["slow", "1", "0", "0", "-", "-", "-", "-", "no", "yes"]
    assert here("list", "--status", "enqueued", "--db", shop).lines[1].split()[:3] == ["p-1", "greet", "ENQUEUED"]
    here("queues", "resume", "slow", "--json", "--db", shop)
    assert here("result", "p-1", "--timeout", "30s", "--db", shop).out == '"hello hal"\n'


@pytest.mark.parametrize("verb", ["update", "pause", "resume", "delete"])
def test_a_queue_that_is_not_there_is_exit_status_3(here: Here, shop: Path, verb: str) -> None:
    done = here("queues", verb, "nowhere", *(["--batch", "2"] if verb == "update" else []), "--db", shop)
    assert (done.status, len(done.err.splitlines())) == (3, 1)
    assert not [one for one in here("queues", "list", "--json", "--db", shop).json if one["name"] == "nowhere"]


def test_a_queue_that_has_no_limits_but_work_may_be_paused(here: Here, shop: Path) -> None:
    here("enqueue", "unlimited", "nap", "3600", "--db", shop)
    assert here("queues", "pause", "unlimited", "--db", shop).out == "unlimited\n"


@pytest.mark.parametrize(
    "limit", [("--rate", "10"), ("--rate", "x/1m"), ("--global-concurrency", "many"), ("--global-concurrency", "0")],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_limit_is_a_usage_error(here: Here, shop: Path, limit: tuple[str, str]) -> None:
    assert here("queues", "create", "mail", *limit, "--db", shop).status == 2

"""`litewf send`, `publish`, `cancel`, `resume`, `rewind`, `fork` and `delete`, against an engine in another process."""

from pathlib import Path

from tests.cli.live import Here


def test_a_message_sent_twice_with_a_key_counts_once(here: Here, shop: Path) -> None:
    here("start", "checkout", '{"sku": 1}', "--id", "m-1", "--db", shop)
    for value in ("first", "second"):
        assert here("send", "m-1", value, "--topic", "payment", "--key", "k", "--db", shop) == (0, "", "")
    assert here("result", "m-1", "--timeout", "30s", "--db", shop).out == '["receipt 1", "first"]\n'


def test_a_cloud_event_reaches_who_waits_and_counts_once(here: Here, shop: Path) -> None:
    here("start", "hear", "paid", "--id", "c-1", "--db", shop)
    event = ("publish", "paid", '{"order": 7}', "--source", "bank", "--id", "e-1", "--db", shop)
    assert here(*event).out == "accepted\n"
    assert here(*event).out == "duplicate\n"
    assert here("result", "c-1", "--timeout", "30s", "--db", shop).out == '{"order": 7}\n'


def test_cancel_resume_and_the_end(here: Here, shop: Path) -> None:
    here("start", "checkout", '{"sku": 2}', "--id", "x-1", "--db", shop)
    assert here("cancel", "x-1", "--db", shop).out == "x-1\n"
    done = here("result", "x-1", "--timeout", "30s", "--db", shop)
    assert (done.status, "was cancelled; litewf resume lets it go on" in done.err) == (1, True)
    assert "; litewf resume lets it go on" in here("show", "x-1", "--db", shop).out
    assert here("resume", "x-1", "--db", shop).out == "x-1\n"
    here("send", "x-1", "late", "--topic", "payment", "--db", shop)
    assert here("result", "x-1", "--timeout", "30s", "--db", shop).out == '["receipt 2", "late"]\n'
    ended = here("resume", "x-1", "--db", shop)
    assert (ended.status, "has ended with SUCCESS; litewf rewind runs it again" in ended.err) == (4, True)


def test_rewind_runs_it_again_and_fork_copies_it(here: Here, shop: Path) -> None:
    assert here("start", "greet", "gus", "--id", "r-1", "--wait", "--timeout", "30s", "--db", shop).status == 0
    assert here("rewind", "r-1", "--step", "1", "--db", shop).out == "r-1\n"
    assert here("result", "r-1", "--timeout", "30s", "--json", "--db", shop).json["generation"] == 2
    copy = here("fork", "r-1", "--id", "r-2", "--db", shop)
    assert copy.out == "r-2\n"
    done = here("result", "r-2", "--timeout", "30s", "--json", "--db", shop).json
    assert (done["output"], done["forked_from"]) == ("hello gus", "r-1")


def test_of_several_those_that_can_be_are_deleted_and_the_others_told(here: Here, shop: Path) -> None:
    for one in ("d-1", "d-2"):
        assert here("start", "greet", "x", "--id", one, "--wait", "--timeout", "30s", "--db", shop).status == 0
    here("start", "nap", "3600", "--id", "d-3", "--db", shop)
    done = here("delete", "d-1", "gone", "d-3", "d-2", "--db", shop)
    assert (done.status, done.lines) == (3, ["d-1", "d-2"])
    complaints = done.err.splitlines()
    assert len(complaints) == 2
    assert "'gone'" in complaints[0]
    assert "'d-3'" in complaints[1]
    assert here("show", "d-1", "--db", shop).status == 3
    assert here("cancel", "d-3", "--json", "--db", shop).json == {"workflow_ids": ["d-3"]}


def test_what_has_ended_cannot_be_cancelled_and_is_told_so(here: Here, shop: Path) -> None:
    assert here("start", "greet", "x", "--id", "f-1", "--wait", "--timeout", "30s", "--db", shop).status == 0
    here("start", "nap", "3600", "--id", "f-2", "--db", shop)
    done = here("cancel", "f-1", "f-2", "--db", shop)
    assert (done.status, done.lines) == (4, ["f-2"])
    [complaint] = done.err.splitlines()
    assert complaint == "litewf: workflow 'f-1' (greet) has ended with SUCCESS: there is nothing to cancel"
    assert here("cancel", "f-2", "--json", "--db", shop).json == {"workflow_ids": ["f-2"]}, "it is cancelled, as asked"


def test_a_step_that_was_never_reached_is_a_usage_error(here: Here, shop: Path) -> None:
    assert here("start", "greet", "x", "--id", "b-1", "--wait", "--timeout", "30s", "--db", shop).status == 0
    for command in ("rewind", "fork"):
        done = here(command, "b-1", "--step", "99", "--db", shop)
        assert (done.status, done.lines, len(done.err.splitlines())) == (2, [], 1)
    status = here("result", "b-1", "--json", "--db", shop).json
    assert (status["status"], status["generation"]) == ("SUCCESS", 1)
    assert len([one for one in here("list", "--json", "--db", shop).json if one["forked_from"] == "b-1"]) == 0

"""`litewf start`, `enqueue` and `result`, against an engine in another process."""

from pathlib import Path

import pytest

import litewf
from tests.cli.live import Here


def test_start_prints_the_id_and_result_the_output(here: Here, shop: Path) -> None:
    started = here("start", "greet", "anna", "--id", "g-1", "--db", shop)
    assert started == (0, "g-1\n", "")
    assert here("result", "g-1", "--timeout", "30s", "--db", shop) == (0, '"hello anna"\n', "")


def test_the_environment_names_the_file(here: Here, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITEWF_DB", str(shop))
    assert here("start", "greet", "ben", "--wait", "--timeout", "30s").out == '"hello ben"\n'


def test_without_a_name_the_file_is_litewf_db_here(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = here("list")
    assert done.status == 5
    assert done.err == "litewf: there is no file litewf.db; name it with --db or LITEWF_DB (an engine creates it)\n"


@pytest.mark.parametrize(
    ("given", "output"),
    [
        (("anna",), '"hello anna"'),
        (("7",), '"hello 7"'),
        (('"7"',), '"hello 7"'),
        (("--arg", "name=[1, null]"), '"hello [1, None]"'),
        (("anna", "--arg", "greeting=good day"), '"good day anna"'),
        (("--", "-1"), '"hello -1"'),
    ],
    ids=["word", "number", "text", "by name", "both", "dash"],
)
def test_arguments_are_json_or_words(here: Here, shop: Path, given: tuple[str, ...], output: str) -> None:
    done = here("start", "greet", "--wait", "--timeout", "30s", "--db", shop, *given)
    assert done == (0, f"{output}\n", "")


def test_what_begins_like_json_but_is_none_is_refused(here: Here, shop: Path) -> None:
    done = here("start", "greet", '{"a": 1', "--db", shop)
    assert done.status == 2
    assert "begins like JSON" in done.err


def test_a_failure_is_one_line_and_exit_status_1(here: Here, shop: Path) -> None:
    done = here("start", "fail", "out of\nstock", "--id", "f-1", "--wait", "--timeout", "30s", "--db", shop)
    assert (done.status, done.out) == (1, "")
    assert done.err == "litewf: workflow 'f-1' ended as ERROR: shop.DeclinedError: out of stock\n"
    assert here("result", "f-1", "--json", "--db", shop).json["error"] == {
        "type": "shop.DeclinedError",
        "message": "out of\nstock",
    }


def test_errors_of_litewf_have_the_names_that_programs_use(here: Here, shop: Path) -> None:
    done = here("start", "checkout", "{}", "--wait", "--timeout", "30s", "--db", shop)
    assert done.status == 1
    assert "ended as ERROR: litewf.StepRetriesExceededError: step 1 (charge)" in done.err


def test_a_wait_that_is_too_short_is_exit_status_7(here: Here, shop: Path) -> None:
    done = here("start", "nap", "3600", "--wait", "--timeout", "10ms", "--db", shop)
    assert done.status == 7
    assert "has not ended in time" in done.err


def test_a_workflow_that_nobody_knows_waits_and_that_is_said(here: Here, path: Path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    done = here("start", "nobody", "--id", "n-1", "--db", path)
    assert (done.status, done.out) == (0, "n-1\n")
    assert "no engine that runs now knows 'nobody'" in done.err
    assert "ready for an engine that knows it" in here("list", "--db", path).out
    assert here("cancel", "n-1", "--db", path).status == 0


def test_a_name_that_is_nearly_right_is_told(here: Here, path: Path, registry: litewf.Registry) -> None:
    @registry.workflow(name="checkout")
    def checkout() -> None: ...

    with litewf.Engine(path, registry=registry):
        done = here("start", "chekout", "--id", "n-2", "--db", path)
        assert (done.status, done.out) == (0, "n-2\n")
        assert "no engine that runs now knows 'chekout' (is it 'checkout'?);" in done.err
        assert here("cancel", "n-2", "--db", path).status == 0


def test_an_id_that_is_taken_is_found_or_refused(here: Here, shop: Path) -> None:
    assert here("start", "greet", "cleo", "--id", "g-2", "--wait", "--timeout", "30s", "--db", shop).status == 0
    assert here("start", "greet", "dora", "--id", "g-2", "--wait", "--db", shop).out == '"hello cleo"\n'
    assert here("start", "greet", "dora", "--id", "g-2", "--reject", "--db", shop).status == 4
    assert here("start", "nap", "1", "--id", "g-2", "--db", shop).status == 4


def test_the_options_of_a_start_are_recorded(here: Here, shop: Path) -> None:
    here("start", "greet", "eva", "--id", "g-3", "--user", "eva", "--role", "admin", "--attribute", "shop=7",
         "--deadline", "1h", "--db", shop)  # fmt: skip
    shown = here("show", "g-3", "--json", "--db", shop).json
    assert (shown["authenticated_user"], shown["authenticated_roles"]) == ("eva", ["admin"])
    assert (shown["attributes"], shown["timeout"]) == ({"shop": 7}, 3600)
    listed = here("list", "--attribute", "shop=7", "--user", "eva", "--json", "--db", shop).json
    assert [one["workflow_id"] for one in listed] == ["g-3"]


@pytest.mark.parametrize(
    "options",
    [("--id", "a~b"), ("--deadline", "soon"), ("--attribute", "x"), ("--arg", "=1"), ("--attribute", "a=[1]")],
    ids=" ".join,
)
def test_a_wrong_option_is_a_usage_error(here: Here, shop: Path, options: tuple[str, ...]) -> None:
    assert here("start", "greet", *options, "--db", shop).status == 2


def test_enqueue_runs_it_through_the_queue(here: Here, shop: Path) -> None:
    done = here("enqueue", "mail", "greet", "fay", "--id", "q-1", "--wait", "--timeout", "30s", "--json", "--db", shop)
    assert (done.json["output"], done.json["queue_name"]) == ("hello fay", "mail")


def test_a_duplicate_is_refused_or_found(here: Here, shop: Path) -> None:
    one = ("enqueue", "mail", "nap", "3600", "--deduplication-id", "d-1", "--db", shop)
    first = here(*one, "--delay", "1h")
    assert first.status == 0
    assert here(*one).status == 4
    assert here(*one, "--on-duplicate", "return_existing").out == first.out
    assert here("cancel", first.out.strip(), "--db", shop).status == 0


def test_a_priority_where_none_count_is_a_usage_error(here: Here, shop: Path) -> None:
    done = here("enqueue", "mail", "greet", "x", "--priority", "1", "--db", shop)
    assert (done.status, len(done.err.splitlines())) == (2, 1)

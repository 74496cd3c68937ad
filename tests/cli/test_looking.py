"""`litewf list`, `show`, `event`, `stream` and `versions`, against an engine in another process."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf
from tests.cli.live import Here, first_line, start


@pytest.fixture(scope="module")
def order(shop: Path) -> Iterator[str]:
    """A checkout that has charged, has a child and a grandchild, and waits for its payment."""
    with litewf.Client(shop) as client:
        client.enqueue("orders", "checkout", {"sku": 7})
        [found] = client.list_workflows(name="checkout")
        while not client.list_workflows(parent_id=found.workflow_id):
            pass  # until it has come that far
        client.retrieve_workflow(f"{found.workflow_id}~3").get_result(timeout=30)
    yield found.workflow_id


def until_waiting(here: Here, shop: Path, workflow_id: str) -> None:
    while not here("show", workflow_id, "--json", "--db", shop).json["waiting_on"]:
        pass  # until it is parked, which takes its linger


def test_a_list_says_of_each_what_matters(here: Here, shop: Path, order: str) -> None:
    until_waiting(here, shop, order)
    done = here("list", "--name", "checkout", "--db", shop)
    heading, row = done.lines
    assert heading.split() == ["ID", "NAME", "STATUS", "CREATED", "TOOK", "ABOUT"]
    assert row.startswith(f"{order}  checkout  PENDING")
    assert "waits for a message on topic 'payment' until" in row


def test_filters_add_up(here: Here, shop: Path, order: str) -> None:
    def ids(*filters: str) -> list[str]:
        return [one["workflow_id"] for one in here("list", *filters, "--json", "--db", shop).json]

    assert ids("--parent", order) == [f"{order}~3"]
    assert ids("--prefix", order, "--oldest-first") == [order, f"{order}~3", f"{order}~3~1"]
    assert ids("--prefix", order, "--limit", "1", "--offset", "1") == [f"{order}~3"]
    assert ids("--prefix", order, "--status", "pending") == [order]
    assert ids("--queue", "orders", "--since", "1h", "--until", "2999-01-01") == [order]
    assert ids("--queue", "orders", "--completed-after", "1h") == []
    assert ids("--held") == []


def test_nothing_found_is_said_beside_the_answer(here: Here, shop: Path) -> None:
    assert here("list", "--name", "unheard", "--db", shop) == (0, "", "no workflow matches\n")
    assert here("list", "--name", "unheard", "--json", "--db", shop) == (0, "[]\n", "")


def test_show_tells_the_story_of_a_workflow(here: Here, shop: Path, order: str) -> None:
    until_waiting(here, shop, order)
    text = here("show", order, "--db", shop).out
    for part in (
        f"workflow   {order}  (checkout)",
        "waits for  a message on topic 'payment' (step 5, until ",
        'input      {"sku": 7}',
        'events     payment_url="/pay/7"',
        f"└─ {order}~3  (family)  SUCCESS\n   └─ {order}~3~1  (family)  SUCCESS",
    ):
        assert part in text
    steps = {line.split()[0]: line for line in text.splitlines() if line[:1].isdigit()}
    assert steps["1"].split()[1] == "charge"
    assert steps["1"].endswith('  3      "receipt 7"')
    assert f"started {order}~3" in steps["3"]
    assert "waits for a message on topic 'payment' until" in steps["5"]


def test_show_as_json_has_everything(here: Here, shop: Path, order: str) -> None:
    until_waiting(here, shop, order)
    shown = here("show", order, "--json", "--db", shop).json
    assert [step["name"] for step in shown["steps"]] == [
        "charge", "litewf.set_event", "litewf.start:family", "litewf.get_result", "litewf.recv",
    ]  # fmt: skip
    assert (shown["steps"][0]["attempts"], shown["steps"][3]["output"]) == (3, {"sku": 0})
    assert shown["children"][0]["children"][0]["workflow_id"] == f"{order}~3~1"
    with litewf.Client(shop) as client:
        status = client.retrieve_workflow(order).get_status()
    assert shown["created_at"] == status.created_at.isoformat()
    assert shown["waiting_on"] == [
        {"step_id": "5", "what": status.waiting_on[0].what, "until": status.waiting_on[0].until.isoformat()}
    ]


def test_the_last_steps_are_enough(here: Here, shop: Path, order: str) -> None:
    done = here("show", order, "--steps", "1", "--db", shop)
    assert "the last 1 of 5 steps" in done.err
    assert "charge" not in done.out


def test_events_are_shown_one_or_all(here: Here, shop: Path, order: str) -> None:
    assert here("event", order, "payment_url", "--db", shop).out == '"/pay/7"\n'
    assert here("event", order, "--json", "--db", shop).json == {"payment_url": "/pay/7"}
    assert here("event", order, "--db", shop).lines[1].split() == ["payment_url", '"/pay/7"']
    assert here("event", order, "payment", "--db", shop).status == 3
    assert here("event", order, "payment", "--timeout", "1ms", "--db", shop).status == 7


def test_versions_shows_engines_and_what_they_may_run(here: Here, shop: Path, order: str) -> None:
    found = here("versions", "--json", "--db", shop).json
    [engine] = found["engines"]
    assert (engine["state"], engine["only_version"]) == ("alive", False)
    assert "checkout" in engine["workflows"]
    assert all(one["engines"] == [engine["executor_id"]] for one in found["versions"])
    assert here("versions", "--db", shop).lines[0].split() == ["VERSION", "UNFINISHED", "HELD", "ENGINES"]


OF_ONE = ["show", "result", "event", "cancel", "resume", "rewind", "fork", "delete", "export", "stream", "send"]


@pytest.mark.parametrize("command", OF_ONE)
def test_an_unknown_id_is_one_line_and_exit_status_3(here: Here, shop: Path, command: str) -> None:
    done = here(command, "nowhere", *(["x"] if command in {"stream", "send"} else []), "--db", shop)
    assert (done.status, len(done.err.splitlines())) == (3, 1)
    assert done.err.startswith("litewf: there is no workflow 'nowhere'")


def test_watching_shows_each_change_until_it_is_interrupted(here: Here, shop: Path) -> None:
    watching = start("list", "--name", "greet", "--watch", "--interval", "20ms", "--json", "--db", str(shop),
                     folder=shop.parent)  # fmt: skip
    assert json.loads(first_line(watching)) == []
    here("start", "greet", "anna", "--id", "w-1", "--db", shop)
    seen = json.loads(first_line(watching))
    while not seen or seen[0]["status"] != "SUCCESS":
        seen = json.loads(first_line(watching))
    assert seen[0]["workflow_id"] == "w-1"
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=30)
    assert (watching.returncode, err.strip()) == (130, ""), err


def test_a_stream_is_followed_to_its_end(here: Here, shop: Path) -> None:
    here("start", "checkout", '{"sku": 8}', "--id", "s-1", "--db", shop)
    following = start("stream", "s-1", "log", "--follow", "--db", str(shop), folder=shop.parent)
    assert here("send", "s-1", '{"card": 1}', "--topic", "payment", "--db", shop).status == 0
    out, err = following.communicate(timeout=30)
    assert (following.returncode, out.splitlines()) == (0, ['"paid"', '{"by": {"card": 1}}']), err
    again = here("stream", "s-1", "log", "--offset", "1", "--json", "--db", shop)
    assert again.json == {"offset": 1, "value": {"by": {"card": 1}}, "attempt": 1, "recorded": True}

"""The server of examples/communication: every curl command it promises works as printed, and it survives a kill."""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import litewf

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "communication"
PRINTED = "http://localhost:8000"
STREAM = "progress_stream"
PATIENCE = 30.0


def started(workflow_id: str, **links: object) -> dict[str, object]:
    return {"workflow_id": workflow_id, "message": ANY, **links}


def event(workflow_id: str, key: str, value: object) -> dict[str, object]:
    return {"workflow_id": workflow_id, "event_key": key, "value": value}


def shown_by(workflow_id: str) -> dict[str, object]:
    events = f"/workflow-events/{workflow_id}"
    keys = ("progress", "status", "result")
    return {"query_endpoints": {"all_events": f"{events}/all", **{key: f"{events}/{key}" for key in keys}}}


def sending(workflow_id: str, message: dict[str, object]) -> tuple[str, object]:
    command = f"curl -X POST {PRINTED}/send-message/{workflow_id}"
    answer = {"workflow_id": workflow_id, "message": ANY, "payload": message}
    return f"{command} -H \"Content-Type: application/json\" -d '{json.dumps(message)}'", answer


class Within:
    """Equal to each of the given values: what a command prints depends on how far the workflow is."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return other in self.values

    __hash__ = None  # type: ignore[assignment]  # it equals several values


RESULT = {"total_steps": 3, "total_fibonacci": 832040 + 1346269 + 2178309}
ALL = {"status": "completed", "progress": 100, "result": RESULT}

# The commands in the order in which a reader of the example tries them, and the JSON that each prints. A pause of the
# reader names the workflow whose end it waits for.
COMMANDS: list[tuple[str, object]] = [
    (f"curl -X POST {PRINTED}/start-workflow-events/wf-events-1/3", started("wf-events-1", **shown_by("wf-events-1"))),
    (f"curl {PRINTED}/workflow-events/wf-events-1/progress", event("wf-events-1", "progress", Within(0, 33, 66, 100))),
    (f"curl {PRINTED}/workflow-events/wf-events-1/status", event("wf-events-1", "status", ANY)),
    (f"curl {PRINTED}/workflow-events/wf-events-1/result", event("wf-events-1", "result", RESULT)),
    (f"curl {PRINTED}/workflow-events/wf-events-1/all", {"workflow_id": "wf-events-1", "events": ALL}),
    (
        f"curl -X POST {PRINTED}/start-workflow-messaging/wf-msg-1/3",
        started("wf-msg-1", send_approval="/send-message/wf-msg-1"),
    ),
    sending("wf-msg-1", {"approved": True, "message": "Approved by admin"}),
    sending("wf-msg-1", {"approved": False, "reason": "Rejected"}),
    (
        f"curl {PRINTED}/workflow-status/wf-msg-1",
        {"workflow_id": "wf-msg-1", "status": Within("PENDING", "SUCCESS"), "waiting_on": ANY, "output": ANY},
    ),
    (
        f"curl -X POST {PRINTED}/start-workflow-streaming/wf-stream-1/5",
        started("wf-stream-1", read_stream="/workflow-stream/wf-stream-1"),
    ),
    (
        f"curl {PRINTED}/workflow-stream/wf-stream-1",
        {"workflow_id": "wf-stream-1", "stream_values": ANY, "total_messages": ANY},
    ),
    (
        f"curl -X POST {PRINTED}/start-workflow-events/wf-test-events/3",
        started("wf-test-events", **shown_by("wf-test-events")),
    ),
    ("sleep 2", "wf-test-events"),
    (f"curl {PRINTED}/workflow-events/wf-test-events/all", {"workflow_id": "wf-test-events", "events": ALL}),
    (
        f"curl -X POST {PRINTED}/start-workflow-messaging/wf-test-msg/3",
        started("wf-test-msg", send_approval="/send-message/wf-test-msg"),
    ),
    sending("wf-test-msg", {"approved": True}),
    (
        f"curl -X POST {PRINTED}/start-workflow-streaming/wf-test-stream/5",
        started("wf-test-stream", read_stream="/workflow-stream/wf-test-stream"),
    ),
    ("sleep 3", "wf-test-stream"),
    (
        f"curl {PRINTED}/workflow-stream/wf-test-stream",
        {"workflow_id": "wf-test-stream", "stream_values": ANY, "total_messages": 12},
    ),
    (f'curl "{PRINTED}/workflow-events/wf-events-1/result?timeout=10"', event("wf-events-1", "result", RESULT)),
]

Answer = tuple[int, Any]


class Server:
    """The server in a process of its own."""

    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLE / "server.py"), "--port", "0", *options],
            cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip
        self.said: list[str] = []
        self.url = self._listening()

    def _listening(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(r"running on (http://\S+)", line):
                return found[1]
        raise AssertionError(f"the server did not start: {''.join(self.said)}")

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE)


@contextmanager
def serving(directory: Path, *options: str, **environment: str) -> Iterator[Server]:
    server = Server(directory, *options, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("communication")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Server]:
    with serving(directory, "--pace", "0.01") as running:
        yield running


@pytest.fixture
def client(server: Server, directory: Path) -> Iterator[litewf.Client]:
    with litewf.Client(directory / "communication.db", registry=litewf.Registry()) as found:
        yield found


# --- two ways to run a curl command -----------------------------------------------------------------------------------


def real(arguments: list[str]) -> Answer:
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    body, code = done.stdout.rsplit("\n", 1)
    return int(code), json.loads(body)


def shim(arguments: list[str]) -> Answer:
    """The options that the commands use, for machines without curl."""
    options = argparse.ArgumentParser(exit_on_error=False)
    options.add_argument("-X", dest="method", default="GET")
    options.add_argument("-H", dest="headers", action="append", default=[])
    options.add_argument("-d", dest="data")
    options.add_argument("url")
    given = options.parse_args(arguments)
    data = None if given.data is None else given.data.encode()
    headers = dict(header.split(": ", 1) for header in given.headers)
    return fetch(Request(given.url, data, headers, method=given.method))


def fetch(request: Request) -> Answer:
    try:
        with urlopen(request, timeout=PATIENCE) as reply:
            return reply.status, json.load(reply)
    except HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def run(curl: Callable[[list[str]], Answer], command: str, server: Server) -> Answer:
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    assert program == "curl"
    return curl([argument.replace(PRINTED, server.url) for argument in arguments])


@pytest.mark.parametrize(
    "curl",
    [
        pytest.param(real, id="curl", marks=pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")),
        pytest.param(shim, id="shim"),
    ],
)
def test_every_command_prints_what_it_should_and_again_when_it_is_repeated(curl, server, client):
    for command, wanted in COMMANDS:
        if command.startswith("sleep"):
            client.retrieve_workflow(wanted).get_result(timeout=PATIENCE)
        else:
            assert (command, *run(curl, command, server)) == (command, 200, wanted)


def test_the_commands_of_its_readme_are_those_that_are_tested_here():
    text = re.sub(r"\\\n\s+", "", (EXAMPLE / "README.md").read_text())
    printed = set(re.findall(r"^curl .*", text, re.MULTILINE))
    elsewhere = {command for command in printed if "/wf-long" in command}  # of the part on killing it
    assert len(elsewhere) == 2
    assert len(printed) == 13
    assert printed - elsewhere <= {command for command, _ in COMMANDS}


# --- what the workflows do --------------------------------------------------------------------------------------------


def post(server: Server, path: str, body: object = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    code, answer = fetch(Request(server.url + path, data))
    assert code == 200, answer
    return answer


def get(server: Server, path: str) -> Any:
    code, answer = fetch(Request(server.url + path))
    assert code == 200, answer
    return answer


def test_the_first_message_decides_and_a_later_one_is_kept_unread(server, client):
    post(server, "/start-workflow-messaging/undecided/1")
    post(server, "/send-message/undecided", {"approved": True})
    post(server, "/send-message/undecided", {"approved": False})
    assert client.retrieve_workflow("undecided").get_result(timeout=PATIENCE) == {
        "status": "completed",
        "results": [{"n": 30, "fibonacci": 832040}],
    }
    post(server, "/send-message/undecided", {"approved": False})
    assert get(server, "/workflow-status/undecided")["status"] == "SUCCESS"


def test_a_rejected_workflow_runs_no_step(server, client):
    post(server, "/start-workflow-messaging/rejected/3")
    post(server, "/send-message/rejected", {"approved": False, "reason": "too dear"})
    result = client.retrieve_workflow("rejected").get_result(timeout=PATIENCE)
    assert result == {"status": "cancelled", "reason": "too dear", "results": []}
    assert [step.name for step in client.list_steps("rejected")] == ["litewf.recv"]


def test_a_program_without_http_reads_a_stream_as_it_grows(server, client):
    post(server, "/start-workflow-streaming/followed/2")
    values = list(client.read_stream("followed", STREAM, timeout=PATIENCE))
    assert [value["type"] for value in values] == ["start", "progress", "result", "progress", "result", "complete"]
    assert values[2] == {"timestamp": ANY, "type": "result", "step": 1, "result": {"n": 30, "fibonacci": 832040}}
    assert get(server, "/workflow-stream/followed")["stream_values"] == values


def test_an_event_that_will_not_come_is_answered_at_once(server, client):
    post(server, "/start-workflow-streaming/silent/0")
    client.retrieve_workflow("silent").get_result(timeout=PATIENCE)
    assert fetch(Request(f"{server.url}/workflow-events/silent/result?timeout={PATIENCE}")) == (
        404,
        {"detail": "workflow 'silent' ended without setting event 'result'"},
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/workflow-events/nobody/progress", None, 404),
        ("GET", "/workflow-events/nobody/all", None, 404),
        ("GET", "/workflow-stream/nobody", None, 404),
        ("GET", "/workflow-status/nobody", None, 404),
        ("POST", "/send-message/nobody", b'{"approved": true}', 404),
        ("POST", "/start-workflow-events/here/1", None, 409),
        ("POST", "/start-workflow-events/here~1/1", None, 400),
        ("POST", "/send-message/here", b"[]", 400),
        ("POST", "/send-message/here", b"{", 400),
        ("GET", "/workflow-events/here/never?timeout=0", None, 404),
        ("GET", "/workflow-events/here/never?timeout=soon", None, 400),
        ("GET", "/workflow-events/here/never?timeout=-1", None, 400),
    ],
)
def test_what_it_cannot_do_is_said_in_json(server, method, path, body, code):
    post(server, "/start-workflow-messaging/here/1")
    answered, said = fetch(Request(server.url + path, body, method=method))
    assert (answered, said) == (code, {"detail": ANY})


# --- its client, its readme ---------------------------------------------------------------------------------------------

CLIENT_SAYS = [
    "Workflow started with events",
    "3 steps, 4356618 in all",
    "  progress: 100",
    f"  result: {RESULT}",
    "  status: completed",
    "Workflow started, waiting for approval",
    "  client-yes: {'status': 'completed', 'results': [{'n': 30, 'fibonacci': 832040}, {'n': 31, 'fibonacci': 1346269}]}",
    "Workflow started, waiting for approval",
    "  client-no: {'status': 'cancelled', 'reason': 'too dear', 'results': []}",
    "Workflow started with streaming",
    "  start: Workflow started with 2 steps",
    "  progress: Starting step 1/2",
    "  result: {'n': 30, 'fibonacci': 832040}",
    "  progress: Starting step 2/2",
    "  result: {'n': 31, 'fibonacci': 1346269}",
    "  complete: Workflow completed",
]


def program(directory: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory, capture_output=True, text=True, check=False, timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("time", ["first", "second"])
def test_its_client_says_what_it_should_each_time(time, server, tmp_path):
    assert program(tmp_path, str(EXAMPLE / "client.py"), server.url) == CLIENT_SAYS


def test_the_program_in_its_readme_reads_what_the_server_writes(server, client, directory):
    for started_as in ("events/wf-events-1", "messaging/wf-msg-1", "streaming/wf-stream-1"):
        post(server, f"/start-workflow-{started_as}/3")
    client.retrieve_workflow("wf-events-1").get_result(timeout=PATIENCE)
    (text,) = re.findall(r"```python\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    events, *values = program(directory, "-c", text)
    assert events == str(ALL)
    assert "Workflow completed" in values[-1]


# --- the kill -----------------------------------------------------------------------------------------------------------


def test_killed_in_the_middle_its_workflows_go_on_after_a_restart(tmp_path):
    path = tmp_path / "named.db"
    with serving(tmp_path, "--pace", "0.2", LITEWF_DB=str(path)) as first:
        post(first, "/start-workflow-messaging/waiting/1")
        post(first, "/start-workflow-streaming/wf-long/40")  # eight seconds of work
        with litewf.Client(path, registry=litewf.Registry()) as client:
            reader = client.read_stream("wf-long", STREAM, timeout=PATIENCE)
            before = list(islice(reader, 5))  # two steps are done
            first.end(signal.SIGKILL)
            left = [step for step in client.list_steps("wf-long") if step.completed_at is not None]
            with serving(tmp_path, str(path), "--pace", "0") as second:
                post(second, "/send-message/waiting", {"approved": True})
                assert client.retrieve_workflow("waiting").get_result(timeout=PATIENCE)["status"] == "completed"
                values = before + list(reader)
                assert get(second, "/workflow-stream/wf-long")["stream_values"] == values
            assert client.list_steps("wf-long")[: len(left)] == left, "what was recorded did not run again"
    assert [value["step"] for value in values if value["type"] == "result"] == list(range(1, 41))
    assert len(values) == 82

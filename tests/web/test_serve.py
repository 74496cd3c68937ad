"""`litewf serve`: a real server in a process of its own, from its start to the signal that ends it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from tests.cli.cli_process import ROOT
from tests.stage import PATIENCE_S

SHOP = """
import litewf

registry = litewf.Registry()

@registry.workflow
def checkout(order: str) -> list:
    litewf.write_stream("log", order)
    event = litewf.wait_event("paid", where={"order": order}, timeout=3600)
    return [order, event.data["amount"], dict(event.extensions)]

@litewf.workflow
async def hello(name: str = "you") -> str:
    return f"hello {name}"
"""
TOKEN = "s3cret"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-W", "error", "-m", "litewf", "serve", *arguments]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


@contextmanager
def served(folder: Path, *arguments: str, **environment: str) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    process = subprocess.Popen(
        command(*arguments, "--db", "shop.db", "--port", "0"), cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"at (http://\S+) \(described at /openapi\.json\)$", line)
        assert found, line + process.communicate()[1]
        with httpx.Client(base_url=found[1], timeout=PATIENCE_S) as client:
            yield client, process
    finally:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, complaints = process.communicate(timeout=PATIENCE_S)
    return process.returncode, complaints


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_it_accepted_goes_on_in_its_next_life(number: signal.Signals, shop: Path) -> None:
    with served(shop, "shop:registry") as (client, process):
        for order in ("o-1", "o-2"):
            assert client.post(f"/workflows/checkout?workflow_id={order}", json={"order": order}).status_code == 202
        message = sdk.to_structured_event(
            SdkEvent({"type": "paid", "source": "bank", "x": "1"}, {"order": "o-1", "amount": 7})
        )
        assert client.post("/", content=message.body, headers=message.headers).status_code == 202
        assert client.get("/workflows/o-1/result?timeout=20").json()["output"] == ["o-1", 7, {"x": "1"}]
        with client.stream("GET", "/workflows/o-2/streams/log") as stream:
            lines = stream.iter_lines()
            assert [next(lines), next(lines)] == ["id: 0", 'data: "o-2"']
            process.send_signal(number)
            assert "event: end" not in list(lines), "the connection ends, the stream does not"
        assert ended(process) == (0, "")
    with served(shop, "shop:registry") as (client, process):
        message = sdk.to_binary_event(SdkEvent({"type": "paid", "source": "bank"}, {"order": "o-2", "amount": 8}))
        assert client.post("/events", content=message.body, headers=message.headers).status_code == 202
        assert client.get("/workflows/o-2/result?timeout=20").json()["output"] == ["o-2", 8, {}]


def test_a_waiting_request_is_answered_when_the_server_ends(shop: Path) -> None:
    with served(shop, "shop:registry") as (client, process):
        host, port = client.base_url.host, client.base_url.port
        client.post("/workflows/checkout?workflow_id=o-1", json={"order": "o-1"})
        with socket.create_connection((host, port or 80), timeout=PATIENCE_S) as waiting:
            waiting.sendall(b"GET /workflows/o-1/result?timeout=3600 HTTP/1.1\r\nHost: here\r\n\r\n")
            assert client.get("/health/ready").status_code == 200  # the other request came first
            process.send_signal(signal.SIGTERM)
            answer = waiting.recv(10_000).decode()
        assert answer.startswith("HTTP/1.1 503")
        assert "retry-after: 1" in answer.lower()
        assert ended(process) == (0, "")


def test_a_client_that_lies_about_its_length_or_leaves_harms_nobody(shop: Path) -> None:
    with served(shop, "shop:registry") as (client, process):
        host, port = client.base_url.host, client.base_url.port
        head = b"POST /events HTTP/1.1\r\nHost: here\r\nContent-Type: application/cloudevents+json\r\n"
        for rest in (
            b"Content-Length: 900\r\n\r\n{}",
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"ce-id: \xff\r\n\r\n",
        ):
            with socket.create_connection((host, port or 80), timeout=PATIENCE_S) as rude:
                rude.sendall(head + rest)
        assert client.get("/workflows").json() == {"workflows": []}
        process.send_signal(signal.SIGTERM)
        code, complaints = ended(process)
        assert (code, "Traceback" in complaints) == (0, False)


def test_without_a_name_the_default_registry_is_served_and_the_token_may_stand_in_the_environment(shop: Path) -> None:
    with served(shop, "shop", "--host", "0.0.0.0", LITEWF_TOKEN=TOKEN) as (client, _):
        address = f"http://127.0.0.1:{client.base_url.port}"
        assert httpx.get(f"{address}/workflows").status_code == 401
        reply = httpx.post(f"{address}/workflows/hello?wait=20", headers={"authorization": f"Bearer {TOKEN}"})
        assert reply.json()["output"] == "hello you"


REFUSED = [
    (["shop:registry", "--host", "0.0.0.0", "--db", "x.db"], "--insecure"),
    (["shop:registry", "--host", "::", "--db", "x.db"], "--insecure"),
    (["shop:registry", "--host", "example.com", "--db", "x.db"], "--insecure"),
    (["shop:nothing", "--db", "x.db"], "has no 'nothing'"),
    (["nothing:registry", "--db", "x.db"], "no module 'nothing'"),
    (["..:registry", "--db", "x.db"], "does not name a module"),
    (["shop:registry", "--db", "x.db", "--port", "70000"], "65535"),
]


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "300", **environment},
    )  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[" ".join(row[0]) for row in REFUSED])
def test_what_cannot_be_served_is_a_usage_error(arguments: list[str], said: str, shop: Path) -> None:
    done = run(shop, *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (shop / "x.db").exists()


def test_a_file_that_cannot_be_opened_is_said_in_one_line(shop: Path) -> None:
    (shop / "x.db").write_text("this is no database" * 100)
    done = run(shop, "shop:registry", "--db", "x.db", "--port", "0")
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1), done.stderr


def test_a_port_that_is_taken_ends_it(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(shop, "shop:registry", "--db", "x.db", "--port", str(taken.getsockname()[1]))
    assert done.returncode not in (0, 2)
    assert "in use" in done.stderr


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "cloudevents"])
def test_without_its_packages_it_says_in_one_line_what_to_install(package: str, shop: Path) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from litewf.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "serve", "shop:registry", "--db", "x.db"], cwd=shop,
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, "pip install 'litewf[web]'" in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_importing_litewf_loads_nothing_of_the_web(shop: Path) -> None:
    code = "import litewf, sys, json; print(json.dumps(sorted({'starlette', 'uvicorn', 'cloudevents', 'litewf.web'} & set(sys.modules))))"
    assert json.loads(subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)) == []

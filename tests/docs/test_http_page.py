"""docs/http.md: a real server, and every curl command of the page, which prints what the page says."""

import os
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from litewf.web.routes import TABLE
from tests.docs.shell import Shell, commands, matches

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "http.md").read_text()
PORT = "8080"  # of the page; another one is free here
SESSIONS = list(commands(PAGE))
CALL = re.compile(r"curl -s (?:-w \S+ \S+ )?(?:-X (?P<method>\w+) )?\"?\$AT(?P<path>/[^\s?\"]*)")


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is missing")
def test_the_sessions_print_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])
    script = tmp_path / "bin" / "litewf"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable} -P\nimport sys\nfrom litewf.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    shell = Shell(cwd=tmp_path, env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)})
    port = free_port()
    try:
        for command in SESSIONS:
            line = command.line.replace(f":{PORT}", f":{port}").replace("serve shop", f"serve shop --port {port}")
            expected = command.expected.replace(f":{PORT}", f":{port}")
            printed, status = shell.run(line)
            assert status == command.status, f"$ {line}\n{printed}"
            assert matches(printed, expected), f"$ {line}\n{printed}\n\nexpected:\n{expected}"
    finally:
        shell.run("kill $(cat server.pid) 2> /dev/null")
        shell.close()


def test_the_page_lists_every_route_and_calls_each() -> None:
    routes = {(operation.method, operation.path) for operation in TABLE}
    assert set(re.findall(r"^\| `(GET|POST) (\S+)` \|", PAGE, re.MULTILINE)) == routes
    called = [match for match in map(CALL.match, (command.line for command in SESSIONS)) if match]
    assert len(called) == sum(command.line.startswith("curl") for command in SESSIONS)
    asked = {(match["method"] or "GET", match["path"]) for match in called}
    for method, path in routes:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        assert any(given == method and re.fullmatch(pattern, at) for given, at in asked), (method, path)


def test_the_page_lists_every_status_of_a_route() -> None:
    listed = {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)}
    described = {reply.status for operation in TABLE for reply in operation.replies}
    assert listed == described | {400, 401, 403, 405, 500, 503}

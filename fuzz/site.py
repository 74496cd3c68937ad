"""The HTTP application of an engine, in this process, and what every answer of it must be like."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import apsw

import litewf
from fuzz.case import Case
from litewf.web import asgi_app

MAX_BODY = 10_000
PATIENCE_S = 20.0
Headers = Sequence[tuple[bytes, bytes]]


@contextmanager
def served(case: Case) -> Iterator[Site]:
    """An engine with a few workflows, and its application."""
    registry = litewf.Registry()

    @registry.workflow(name="echo")
    def echo(*args: Any, **kwargs: Any) -> Any:
        litewf.set_event("said", args)
        litewf.write_stream("out", kwargs)
        return [args, kwargs]

    @registry.workflow(name="patient")
    def patient() -> Any:
        return litewf.recv("topic", timeout=3600)

    path = case.folder / "flows.db"
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        engine.run_workflow(echo.with_options(workflow_id="echo-1"), 1, two=2)
        engine.start_workflow(patient.with_options(workflow_id="patient-1"))
        yield Site(asgi_app(engine, max_body=case.chance.choice([MAX_BODY, 20 * MAX_BODY]), keep_alive=0.05), path)


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    """Asks, and checks the form of what is answered."""

    def __init__(self, app: Any, path: Path) -> None:
        self._app = app
        self._path = path

    def ask(self, method: str, target: str, headers: Headers, parts: Sequence[bytes]) -> Answer:
        """The answer, which is never the program's own fault and never tells of its inside.

        What the application raises is raised here; the body comes in parts.
        """
        answer = asyncio.run(asyncio.wait_for(self._ask(method, target, headers, parts), PATIENCE_S))
        told = f"{method} {target} {headers!r} {b''.join(parts)[:500]!r} gave {answer.status} {answer.text[:500]}"
        assert 100 <= answer.status < 500, told
        assert "Traceback" not in answer.text, told
        if answer.status >= 400 and method != "HEAD":
            said = json.loads(answer.text)
            assert said.keys() == {"error", "error_type", "retryable"}, told
        return answer

    async def _ask(self, method: str, target: str, headers: Headers, parts: Sequence[bytes]) -> Answer:
        raw, _, query = target.encode("utf-8", "replace").partition(b"?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(raw.decode()), "raw_path": raw, "root_path": "", "query_string": query,
            "server": ("here", 80), "client": ("there", 1), "headers": [(name.lower(), value) for name, value in headers],
        }  # fmt: skip
        answer, coming = Answer(), list(parts)

        async def receive() -> dict[str, Any]:
            if not coming:
                await asyncio.sleep(0)
                return {"type": "http.disconnect"} if answer.status else {"type": "http.request", "body": b""}
            return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

        async def send(message: Any) -> None:
            answer.status = message.get("status", answer.status)
            answer.body += message.get("body", b"")

        await self._app(scope, receive, send)
        return answer

    def copied(self, sql: str) -> list[tuple[Any, ...]]:
        """What a copy of the files says: that is what is left if the process is killed now."""
        copy = self._path.with_name("copy.db")
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(self._path.with_name(self._path.name + suffix), copy.with_name(copy.name + suffix))
        connection = apsw.Connection(str(copy))
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

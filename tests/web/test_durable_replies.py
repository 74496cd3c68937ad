"""202 means durable: a process that dies at any commit has forgotten nothing that it acknowledged."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import VirtualClock
from litewf.testing.places import workplace
from litewf.web import asgi_app
from tests.crash.ledger import Ledger
from tests.crash.life import Life
from tests.web.visits import BATCHED, STRUCTURED, Site, whole

MOST_POINTS = 40
BODIES = {
    "one": (STRUCTURED, whole(data="paid")),
    "batch": (BATCHED, [whole(data="paid"), whole(id="2", type="other")]),
}


def life(folder: Path, clock: VirtualClock, crash_at: int | None = None) -> tuple[Life, Any]:
    engine = Life(folder / "flows.db", clock, Ledger(), crash_at=crash_at, linger=0)

    @engine.workflow
    def waiter() -> list[Any]:
        taken = [litewf.wait_event("paid").data]
        while (more := litewf.wait_event("paid", timeout=0, default=None)) is not None:
            taken.append(more.data)
        return taken

    return engine, waiter


def post(engine: litewf.Engine, kind: str) -> int:
    """The status of the reply; 0 if the process died before it."""
    media, body = BODIES[kind]
    try:
        return Site(asgi_app(engine)).post("/", json=body, headers={"content-type": media}).status_code
    except BaseException:
        return 0


def tell(folder: Path, kind: str, crash_at: int) -> tuple[int, int, bool]:
    """Die at a crash point while an event comes in: the reply, the events that are stored, whether it died."""
    clock, statuses = VirtualClock(mode="driven"), []
    first, waiter = life(folder, clock)

    def begin(engine: litewf.Engine) -> None:
        engine.start_workflow(waiter.with_options(workflow_id="w"))
        first.settle()

    def come_in(engine: litewf.Engine) -> None:
        second.settle()  # so that the crash points come in the same order each time
        statuses.append(post(engine, kind))
        second.settle()

    def find(engine: litewf.Engine) -> None:
        last.settle()
        stored.extend(engine.query("SELECT id FROM cloud_event"))
        if statuses == [202]:
            assert engine.retrieve_workflow("w").get_status().output == ["paid"], "acknowledged, and not delivered"
        assert post(engine, kind) == 202
        last.settle()
        assert engine.retrieve_workflow("w").get_status().output == ["paid"], "delivered once, though sent twice"

    stored: list[Any] = []
    first.run(begin)
    second, _ = life(folder, clock, crash_at)
    died = second.run(come_in)
    last, _ = life(folder, clock)
    last.run(find)
    return (statuses or [0])[0], len(stored), died


@pytest.mark.parametrize("kind", BODIES)
def test_what_is_acknowledged_survives_death_at_any_commit_and_a_batch_is_never_split(kind: str) -> None:
    whole_count = 1 if kind == "one" else 2
    seen = set()
    for crash_at in range(1, MOST_POINTS):
        with workplace() as folder:
            status, stored, died = tell(folder, kind, crash_at)
        assert stored in (0, whole_count)
        assert stored or status != 202
        seen.add((status == 202, bool(stored)))
        if not died:
            assert seen == {(False, False), (False, True), (True, True)}, "a death before, at and after the reply"
            return
    raise AssertionError("it never lived to the end")


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (litewf.StoreFullError("no room"), True),
        (litewf.StoreLockedError("locked by another tool"), True),
        (litewf.OutcomeUnknownError("perhaps"), True),
        (litewf.EngineClosedError("shut down"), True),
        (litewf.StoreCorruptError("damaged"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_is_not_acknowledged(error, retryable, engine, site, monkeypatch) -> None:
    async def refuse(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(litewf.Engine, "publish_events_async", refuse)
    reply = site.publish()
    assert (reply.status_code, reply.json()) == (
        503, {"error": str(error), "error_type": type(error).__name__, "retryable": retryable},
    )  # fmt: skip
    assert ("retry-after" in reply.headers) is retryable


def test_an_engine_that_shuts_down_meanwhile_refuses(engine, site) -> None:
    async def close_first() -> int:
        await engine.shutdown_async()
        return (await site.ask("POST", "/events", json=whole(), headers={"content-type": STRUCTURED})).status_code

    assert asyncio.run(close_first()) == 503


@pytest.mark.parametrize("route", ["/health/ready", "/workflows", "/workflows/w", "/workflows/w/streams/s"])
def test_a_closed_engine_says_so_everywhere(route, engine, site) -> None:
    engine.shutdown()
    reply = site.get(route)
    assert (reply.status_code, reply.json()["retryable"]) == (503, True)
    assert site.get("/health/live").status_code == 200

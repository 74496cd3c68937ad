"""Events: shown by workflows and by their steps, read from outside and by other workflows, which record what they saw."""

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario


def look(life: Life, workflow_id: str, key: str) -> None:
    """E7: what was shown once is never taken back: the values of these scenarios only grow."""
    value = life.engine.get_event(workflow_id, key, timeout=0, default=0)
    seen = [int(effect) for effect in life.ledger.effects]
    if seen and value < max(seen):
        life.ledger.fail(f"E7 event {key} was {max(seen)} and is now {value}")
    life.ledger.effects.append(str(value))


@scenario(linger=0)
def events_are_shown_in_order_and_never_taken_back(life: Life) -> Drive:
    @life.step
    def work(n: int) -> int:
        return n

    @life.workflow
    def main() -> dict[str, int]:
        for n in (1, 2, 3):
            litewf.set_event("k", n)
            litewf.sleep(3600)
            work(n)
        found: dict[str, int] = litewf.get_all_events("w")
        return found

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        for hours in range(4):
            look(life, "w", "k")
            life.settle(life.clock.now_us() + hours * 3_600_000_000)
        life.settle()
        look(life, "w", "k")
        assert handle.get_result(timeout=0) == {"k": 3}
        assert engine.query("SELECT count(*) FROM event") == [(3,)], "each was set once"

    return drive


def _watched(life: Life) -> Drive:
    @life.step
    def after(place: str, value: object) -> object:
        return value

    @life.workflow
    def shower() -> None:
        for n in (1, 2):
            litewf.sleep(3600)
            litewf.set_event("k", n)
        litewf.sleep(3600)

    @life.workflow
    def watcher() -> list[object]:
        shown = litewf.start_workflow(shower.with_options(workflow_id="s"))
        first = after("first", life.note_here("first", litewf.get_event("s", "k")))
        early = after("early", litewf.get_event("s", "never", timeout=60, default="not yet"))
        late = after("late", litewf.get_event("s", "never", default="never"))
        shown.get_result()
        return [first in (1, 2), early, late, after("last", litewf.get_event("s", "k"))]

    return driven(life, watcher, expect=[True, "not yet", "never", 2])


@scenario(linger=0)
def an_event_is_awaited_parked(life: Life) -> Drive:
    return _watched(life)


@scenario()
def an_event_is_awaited(life: Life) -> Drive:
    return _watched(life)


@scenario(linger=None)
def async_workflows_watch_each_other(life: Life) -> Drive:
    @life.step
    async def work(who: str, n: int) -> int:
        return n

    @life.workflow
    async def partner() -> int:
        n = await litewf.get_event_async("w", "question")
        await litewf.set_event_async("answer", await work("partner", n + 1))
        return int(n)

    @life.workflow
    async def main() -> int:
        await litewf.start_workflow_async(partner.with_options(workflow_id="p"))
        await litewf.set_event_async("question", await work("main", 1))
        answer = life.note_here("answer", await litewf.get_event_async("p", "answer", timeout=DAY_S))
        return await work("main", answer)

    return driven(life, main, expect=2)


@scenario(linger=0)
def a_step_shows_its_progress(life: Life) -> Drive:
    """E7: in a step an event is durable when set_event returns."""

    @life.step
    def work(begin: int) -> int:
        for n in range(begin, begin + 2):
            litewf.set_event("k", n)
            life.ledger.effects.append(str(n))
        return begin

    @life.workflow
    def main() -> int:
        return work(1) + work(3)

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        if life.ledger.effects and handle.get_status().status == "SUCCESS":
            look(life, "w", "k")
        life.settle()
        look(life, "w", "k")
        assert handle.get_result(timeout=0) == 4
        assert life.engine.get_event("w", "k", timeout=0) == 4

    return drive

"""CloudEvents: E5, E8, E9 and A4 when the publisher, the waiting workflow or both die at any commit."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario

HOUR_US = 3_600_000_000


def _publish(life: Life, engine: litewf.Engine, id: str, data: Any) -> None:
    """E9: accepted once, whatever dies; what was acknowledged once is a duplicate from then on."""
    known = f"published {id}" in life.ledger.acknowledged
    new = engine.publish_event("paid", data, source="shop", id=id)
    if known and new:
        life.ledger.fail(f"E9 event {id} was acknowledged and is accepted again")
    life.ledger.acknowledged.add(f"published {id}")


def _check_takings(life: Life, engine: litewf.Engine) -> None:
    """E8: each taking is recorded, and an event taken alone has one winner, which has taken it."""
    unrecorded = engine.query(
        "SELECT taking.workflow, taking.step FROM taking LEFT JOIN step ON step.workflow = taking.workflow"
        " AND step.step = taking.step AND step.completed_us IS NOT NULL WHERE taking.step <> '0' AND step.key IS NULL"
    )
    if unrecorded:
        life.ledger.fail(f"E8 events were taken without a record: {unrecorded}")
    lost = engine.query(
        "SELECT key FROM cloud_event WHERE winner IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM taking WHERE event = cloud_event.key AND workflow = winner)"
    )
    if lost:
        life.ledger.fail(f"E8 events with a winner that has not taken them: {lost}")


@scenario(linger=0)
def two_waiting_workflows_get_each_event_once_in_order(life: Life) -> Drive:
    """Broadcast: published from outside, before and while they wait; each takes each once, the oldest first."""

    @life.step
    def after(n: int) -> int:
        return n

    @life.workflow
    def main() -> list[int]:
        return [after(litewf.wait_event("paid", source="shop").data["n"]) for _ in range(2)]

    def drive(engine: litewf.Engine) -> None:
        handles = [life.start(main, name) for name in ("a", "b")]
        _publish(life, engine, "1", {"n": 1})
        _check_takings(life, engine)
        life.settle()
        _publish(life, engine, "2", {"n": 2})
        life.settle()
        for handle in handles:
            assert handle.get_result(timeout=0) == [1, 2], "E8 not each event once, in order"
        _check_takings(life, engine)

    return drive


def _one_of_many(life: Life) -> Drive:
    @life.workflow
    def main() -> int:
        found: int = litewf.wait_event("paid", delivery="one").data["n"]
        return found

    def drive(engine: litewf.Engine) -> None:
        handles = [life.start(main, name) for name in "abc"]
        for n in (1, 2):
            _publish(life, engine, str(n), {"n": n})
        life.settle()
        _check_takings(life, engine)
        _publish(life, engine, "3", {"n": 3})
        life.settle()
        results = sorted(handle.get_result(timeout=0) for handle in handles)
        assert results == [1, 2, 3], f"E8 not one winner each: {results}"
        _check_takings(life, engine)

    return drive


@scenario(linger=0)
def each_event_has_one_winner_among_parked_workflows(life: Life) -> Drive:
    return _one_of_many(life)


@scenario(linger=None)
def each_event_has_one_winner_among_workflows_in_memory(life: Life) -> Drive:
    return _one_of_many(life)


@scenario(linger=0)
def an_event_for_one_has_one_winner_among_races_with_a_clock(life: Life) -> Drive:
    """What wait_first has chosen is taken: whoever chose it gets it, the others go on with their clocks."""

    @life.workflow
    async def main() -> Any:
        event, clock = litewf.wait_event_async("paid", delivery="one"), litewf.sleep_async(DAY_S)
        first = await litewf.wait_first_async([event, clock])
        return "nothing" if first is clock else (await event).data

    def drive(engine: litewf.Engine) -> None:
        handles = [life.start(main, name) for name in "abc"]
        life.settle(life.clock.now_us() + HOUR_US)
        _publish(life, engine, "1", 1)
        life.settle()
        results = [handle.get_result(timeout=0) for handle in handles]
        assert results.count("nothing") >= 2, f"E8 more than one winner: {results}"
        _check_takings(life, engine)

    return drive


@scenario(linger=0)
def a_workflow_publishes_to_another_that_waits_for_its_like(life: Life) -> Drive:
    """Exactly once from a workflow; the filter on the data selects."""

    @life.workflow
    def main() -> list[Any]:
        paid = litewf.wait_event("paid", where={"order.id": "o-2", "state": ["ok", "done"]})
        return [paid.data["order"]["id"], litewf.publish_event("thanks", None, id="once", source="main")]

    @life.workflow
    def publisher() -> list[bool]:
        sent = []
        for n in range(3):
            sent.append(litewf.publish_event("paid", {"order": {"id": f"o-{n}"}, "state": "ok"}))
            litewf.sleep(60)
        return sent

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        sender = life.start(publisher, "p")
        life.settle()
        assert handle.get_result(timeout=0) == ["o-2", True]
        assert sender.get_result(timeout=0) == [True] * 3
        count = engine.query("SELECT count(*) FROM cloud_event")
        assert count == [(4,)], f"E9 {count} events of 4 calls"

    return drive


@scenario(linger=0)
def an_event_or_a_timeout(life: Life) -> Drive:
    """C3: the deadline is fixed at the first call; who was first is recorded."""

    @life.step
    def after(what: str) -> str:
        return what

    @life.workflow
    async def main() -> list[Any]:
        began = litewf.now()
        none = await litewf.wait_event_async("never", timeout=DAY_S, default=None)
        late_s = (litewf.now() - began).total_seconds() - DAY_S
        if not 0 <= late_s <= 1 + 3600 * life.ledger.life:
            life.ledger.fail(f"C3 a wait of a day ended {late_s} s after it")
        event, clock = litewf.wait_event_async("paid"), litewf.sleep_async(30 * DAY_S)
        first = await litewf.wait_first_async([event, clock])
        return [none, first is event, (await event).data]

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle(life.clock.now_us() + int((DAY_S + 7200) * 1_000_000))
        _publish(life, engine, "1", [1])
        life.settle(life.clock.now_us() + HOUR_US)
        assert handle.get_result(timeout=0) == [None, True, [1]]
        _check_takings(life, engine)

    return drive


@scenario()
def a_payload_that_does_not_fit_is_refused_once_and_taken(life: Life) -> Drive:
    @life.step
    def after(what: str) -> str:
        return what

    @life.workflow
    def main() -> list[Any]:
        try:
            litewf.wait_event("paid", as_type=int)
        except litewf.PayloadError as error:
            life.note("refusal", str(error))
        after("refusal")
        return [litewf.wait_event("paid", as_type=int).data]

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        _publish(life, engine, "1", "no number")
        _publish(life, engine, "2", 2)
        life.settle()
        assert handle.get_result(timeout=0) == [2]
        _check_takings(life, engine)

    return drive


@scenario(linger=0, downtime_s=(0.0,), resumable=frozenset({"a"}))
def a_rewound_winner_gives_its_event_back(life: Life) -> Drive:
    """E8: to one that waits already, or to itself; never to nobody."""

    @life.workflow
    def main() -> int:
        found: int = litewf.wait_event("paid", delivery="one").data
        return found

    def drive(engine: litewf.Engine) -> None:
        first = life.start(main, "a")
        _publish(life, engine, "1", 1)
        life.settle()
        second = life.start(main, "b")
        life.settle()
        if first.get_status().status == "SUCCESS":  # else it was rewound before the death, and the other has the event
            life.ledger.acknowledge("rewound", lambda: engine.rewind_workflow("a", 1))
        life.settle()
        _check_takings(life, engine)
        _publish(life, engine, "2", 2)
        life.settle()
        results = sorted(handle.get_result(timeout=0) for handle in (first, second))
        assert results == [1, 2], f"E8 {results}"

    return drive


@scenario(linger=0)
def a_loop_of_generations_takes_one_event_each(life: Life) -> Drive:
    @life.workflow
    def main(seen: list[int] | None = None) -> list[int]:
        seen = [*(seen or []), litewf.wait_event("paid").data]
        if len(seen) < 3:
            litewf.continue_as_new(seen)
        return seen

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        for n in range(3):
            _publish(life, engine, str(n), n)
            if n:
                life.settle()
        assert handle.get_result(timeout=0) == [0, 1, 2]

    return drive


@scenario()
def published_from_a_workflow_that_ends_at_once(life: Life) -> Drive:
    @life.workflow
    def main() -> list[bool]:
        return [
            litewf.publish_event("paid", 1),
            litewf.publish_event("paid", 1, id="given"),
            litewf.publish_event("paid", 2, id="given"),
        ]

    return driven(life, main, expect=[True, True, False])

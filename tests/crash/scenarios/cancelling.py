"""A cancel from outside, of a whole family, and its resumption."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, scenario


def _family(life: Life) -> Any:
    @life.step
    def work(what: str) -> str:
        return what

    @life.workflow
    def child(n: int) -> str:
        work(f"child {n} begins")
        litewf.sleep(DAY_S)
        return work(f"child {n} ends")

    @life.workflow
    def main() -> list[str]:
        work("main begins")
        return litewf.wait_all(litewf.start_workflows([(child, n) for n in (1, 2)]))

    return main


FAMILY = ("w", "w~2.1", "w~2.2")


def _cancel(life: Life, engine: litewf.Engine) -> None:
    if life.ledger.acknowledge("cancelled", lambda: engine.cancel_workflow("w")):
        assert engine.retrieve_workflow("w").get_status().status in ("CANCELLED", "SUCCESS")
        statuses = [one.status for one in engine.list_workflows()]
        if set(statuses) == {"CANCELLED"}:
            life.ledger.stopped.update(FAMILY)


def _stopped(life: Life) -> Drive:
    main = _family(life)

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "w")
        life.settle(life.clock.now_us() + 3_600_000_000)
        _cancel(life, engine)
        life.settle()
        assert {one.status for one in engine.list_workflows()} == {"CANCELLED"}

    return drive


@scenario(downtime_s=(0.0,))
def a_cancel_stops_the_family(life: Life) -> Drive:
    return _stopped(life)


@scenario(downtime_s=(0.0,), linger=None)
def a_cancel_stops_the_family_in_memory(life: Life) -> Drive:
    return _stopped(life)


@scenario(downtime_s=(0.0,), resumable=frozenset(FAMILY), linger=0)
def a_cancelled_family_is_resumed(life: Life) -> Drive:
    main = _family(life)

    def resume(engine: litewf.Engine) -> None:
        life.ledger.stopped.clear()
        engine.resume_workflow("w")

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        if "cancelled" not in life.ledger.acknowledged:
            life.settle(life.clock.now_us() + 3_600_000_000)
            _cancel(life, engine)
            life.settle(life.clock.now_us() + 60_000_000)
        life.ledger.acknowledge("resumed", lambda: resume(engine))
        life.settle()
        assert handle.get_result(timeout=0) == ["child 1 ends", "child 2 ends"]

    return drive

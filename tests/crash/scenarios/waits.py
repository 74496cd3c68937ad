"""Sleeps, durable timeouts, and waits that time out, parked and in memory."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario, slept


def _sleeper(life: Life, duration_s: float) -> Any:
    @life.step
    def wake(since: str) -> str:
        return since

    @life.workflow
    def main() -> str:
        began = litewf.now()
        litewf.sleep(duration_s)
        slept(life, began, duration_s)
        return wake(began.isoformat())

    return main


@scenario(linger=0)
def a_month_of_sleep_parked(life: Life) -> Drive:
    return driven(life, _sleeper(life, 30 * DAY_S))


@scenario()
def a_month_of_sleep(life: Life) -> Drive:
    return driven(life, _sleeper(life, 30 * DAY_S))


@scenario(linger=None)
def an_hour_of_sleep_in_memory(life: Life) -> Drive:
    return driven(life, _sleeper(life, 3600))


@scenario(linger=0)
def async_sleeps_between_steps(life: Life) -> Drive:
    @life.step
    async def wake(n: int, since: str) -> int:
        return n

    @life.workflow
    async def main() -> int:
        total = 0
        for n in range(3):
            began = litewf.now()
            await litewf.sleep_async(DAY_S)
            slept(life, began, DAY_S)
            total += await wake(n, began.isoformat())
        return total

    return driven(life, main, expect=3)


@scenario(downtime_s=(0.0,))
def a_timeout_ends_a_workflow(life: Life) -> Drive:
    @life.step
    def note(what: str) -> str:
        return what

    @life.workflow
    def child() -> None:
        litewf.sleep(10 * DAY_S)
        note("too late")

    @life.workflow
    def main() -> None:
        note("begin")
        child()

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w", timeout=DAY_S)
        life.settle()
        deadline = handle.get_status().deadline
        for status in engine.list_workflows():
            assert status.status == "CANCELLED", status
            assert status.deadline == deadline, status
            assert status.completed_at is not None
            assert status.deadline is not None
            late_s = (status.completed_at - status.deadline).total_seconds()
            assert 0 <= late_s < 1, f"C3 the deadline was missed by {late_s} s"
        try:
            handle.get_result(timeout=0)
        except litewf.WorkflowTimeoutError:
            return
        raise AssertionError("it did not time out")

    return drive


@scenario()
def a_wait_times_out(life: Life) -> Drive:
    @life.step
    def after(what: str) -> str:
        return what

    @life.workflow
    def child() -> str:
        litewf.sleep(3 * DAY_S)
        return "done"

    @life.workflow
    def main() -> list[str]:
        handle = litewf.start_workflow(child)
        early = after(handle.get_result(timeout=DAY_S, default="nothing yet"))
        return [early, after(handle.get_result())]

    return driven(life, main, expect=["nothing yet", "done"])


@scenario(linger=None, downtime_s=(0.0,))
def a_clean_shutdown_in_the_middle(life: Life) -> Drive:
    @life.step
    def work(what: str) -> str:
        return what

    @life.workflow
    def child() -> str:
        litewf.sleep(DAY_S)
        return work("child")

    @life.workflow
    def main() -> list[str]:
        begin = work("begin")
        handle = litewf.start_workflow(child)
        litewf.sleep(DAY_S)
        return [begin, handle.get_result(), work("end")]

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle(life.clock.now_us() + 3_600_000_000)
        engine.shutdown()
        engine.launch()
        life.settle()
        assert engine.retrieve_workflow(handle.workflow_id).get_result(timeout=0) == ["begin", "child", "end"]

    return drive

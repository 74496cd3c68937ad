"""What is killed at every commit: small workflows, each about one promise, sync and async.

A scenario builds its workflows on a `Life` and returns what happens from outside. That may be repeated from the start
after each death, so every act of it is idempotent or asked of the ledger first.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import litewf
from tests.crash.explorer import Drive, Scenario
from tests.crash.life import Life

DAY_S = 86_400.0
SCENARIOS: list[Scenario] = []


def scenario(**options: Any) -> Callable[[Callable[[Life], Drive]], Callable[[Life], Drive]]:
    """Add to the library under a readable name."""

    def add(build: Callable[[Life], Drive]) -> Callable[[Life], Drive]:
        SCENARIOS.append(Scenario(build.__name__, build, **options))
        return build

    return add


def driven(life: Life, workflow: Any, *args: Any, expect: Any = None) -> Drive:
    """Start one workflow, let it run to its end, look at the result."""

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(workflow, "w", *args)
        life.settle()
        result = handle.get_result(timeout=0)
        assert expect is None or result == expect, f"{result!r}, not {expect!r}"

    return drive


def slept(life: Life, began: Any, duration_s: float) -> None:
    """H4: a sleep ends at its time: not early, and late only by the time that nobody was there."""
    life.ledger.acknowledge(f"slept since {began}", lambda: _check_sleep(life, began, duration_s))


def _check_sleep(life: Life, began: Any, duration_s: float) -> None:
    end_us = life.time.now_us
    due = began + timedelta(seconds=duration_s)
    late_s = end_us / 1_000_000 - due.timestamp()
    if late_s < -0.001:
        life.ledger.fail(f"H4 a sleep of {duration_s} s ended {-late_s} s early")
    allowed_s = 1.0 + 3600.0 * life.ledger.life
    if late_s > allowed_s:
        life.ledger.fail(f"H4 a sleep of {duration_s} s ended {late_s} s late")


# --- steps --------------------------------------------------------------------------------------------------------


@scenario()
def steps_in_sequence(life: Life) -> Drive:
    @life.step
    def double(x: int) -> int:
        return 2 * x

    @life.workflow
    def main(count: int) -> int:
        total = 0
        for n in range(count):
            total += double(n)
        return total

    return driven(life, main, 4, expect=12)


@scenario()
def async_steps_in_sequence(life: Life) -> Drive:
    @life.step
    async def double(x: int) -> int:
        return 2 * x

    @life.workflow
    async def main(count: int) -> int:
        total = 0
        for n in range(count):
            total += await double(n)
        return total

    return driven(life, main, 4, expect=12)


@scenario()
def several_workflows_share_commits(life: Life) -> Drive:
    @life.step
    async def double(x: int) -> int:
        return 2 * x

    @life.workflow
    async def main(x: int) -> int:
        return await double(x) + await double(x + 100)

    def drive(engine: litewf.Engine) -> None:
        handles = [life.start(main, f"w{n}", n) for n in range(4)]
        life.settle()
        assert [handle.get_result(timeout=0) for handle in handles] == [4 * n + 200 for n in range(4)]

    return drive


class Flaky(Exception):
    """What an attempt raises that is to be tried again."""


@scenario()
def a_step_is_retried_with_backoff(life: Life) -> Drive:
    @life.step(max_retries=3, base_interval=60, max_interval=3600, backoff_factor=10)
    def third_time_lucky(x: int) -> int:
        if litewf.attempt() < 3:
            raise Flaky(f"attempt {litewf.attempt()}")
        return x

    @life.workflow
    def main() -> int:
        return third_time_lucky(1) + third_time_lucky(2)

    return driven(life, main, expect=3)


@scenario(linger=0)
def async_retries_that_run_out(life: Life) -> Drive:
    @life.step(max_retries=2, base_interval=60)
    async def never(x: int) -> int:
        raise Flaky(f"attempt {litewf.attempt()}")

    @life.step
    async def after(errors: int) -> int:
        return errors

    @life.workflow
    async def main() -> int:
        try:
            await never(1)
        except litewf.StepRetriesExceededError as error:
            return await after(len(error.errors))
        return 0

    return driven(life, main, expect=3)


@scenario()
def an_uncertain_step_fails(life: Life) -> Drive:
    @life.step(on_uncertain="fail")
    def pay(amount: int) -> int:
        life.ledger.effects.append("paid")
        return amount

    @life.step
    def report(outcome: str) -> str:
        return outcome

    @life.workflow
    def main() -> str:
        try:
            pay(3)
        except litewf.StepUncertainError:
            return report("uncertain")
        return report("paid")

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle()
        outcome = handle.get_result(timeout=0)
        if life.ledger.effects not in ([["paid"]] if outcome == "paid" else [[], ["paid"]]):
            life.ledger.fail(f"it was {outcome}, and this had happened: {life.ledger.effects}")

    return drive


@scenario()
def an_uncertain_step_is_probed(life: Life) -> Drive:
    def probe(amount: int) -> Any:
        paid = f"paid {amount}"
        return paid if paid in life.ledger.effects else litewf.NOT_DONE

    @life.registry.step(name="pay", on_uncertain=probe)
    async def pay(amount: int) -> str:
        if life.death is None:
            life.ledger.effects.append(f"paid {amount}")
        return f"paid {amount}"

    @life.workflow
    async def main() -> list[str]:
        return [await pay(1), await pay(2)]

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle()
        assert handle.get_result(timeout=0) == ["paid 1", "paid 2"]
        if life.ledger.effects != ["paid 1", "paid 2"]:
            life.ledger.fail(f"a probed body ran again: {life.ledger.effects}")

    return drive


@scenario()
def a_workflow_raises(life: Life) -> Drive:
    @life.step
    def fail(x: int) -> int:
        raise ValueError(f"no {x}")

    @life.workflow
    def main() -> None:
        try:
            fail(1)
        except ValueError as error:
            life.note("first", str(error))
        fail(2)

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle()
        try:
            handle.get_result(timeout=0)
        except ValueError as error:
            assert str(error) == "no 2"
        else:
            raise AssertionError("it did not raise")

    return drive


# --- time ---------------------------------------------------------------------------------------------------------


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


# --- children -----------------------------------------------------------------------------------------------------


@scenario()
def a_child_is_awaited(life: Life) -> Drive:
    @life.step
    def double(x: int) -> int:
        return 2 * x

    @life.workflow
    def child(x: int) -> int:
        return double(x)

    @life.workflow
    def main() -> int:
        first = life.note("called", child(5))
        return double(first) + life.note("started", litewf.start_workflow(child, 7).get_result())

    return driven(life, main, expect=34)


@scenario(linger=0)
def an_async_child_is_awaited_parked(life: Life) -> Drive:
    @life.step
    async def double(x: int) -> int:
        return 2 * x

    @life.workflow
    async def child(x: int) -> int:
        return await double(x)

    @life.workflow
    async def main() -> int:
        handle = await litewf.start_workflow_async(child, 7)
        called = life.note("called", await child(5))
        return await double(called) + life.note("started", await handle.get_result_async())

    return driven(life, main, expect=34)


@scenario(linger=0)
def many_children(life: Life) -> Drive:
    @life.step
    def double(x: int) -> int:
        return 2 * x

    @life.workflow
    def child(x: int) -> int:
        litewf.sleep(x * 3600.0)
        return double(x)

    @life.workflow
    def main(count: int) -> int:
        handles = litewf.start_workflows([(child, n) for n in range(count)])
        return double(sum(life.note("all", litewf.wait_all(handles))))

    return driven(life, main, 4, expect=24)


@scenario()
def many_async_children(life: Life) -> Drive:
    @life.step
    async def double(x: int) -> int:
        return 2 * x

    @life.workflow
    async def child(x: int) -> int:
        return await double(x)

    @life.workflow
    async def main(count: int) -> int:
        handles = await litewf.start_workflows_async([(child, n) for n in range(count)])
        return await double(sum(life.note("all", await litewf.wait_all_async(handles))))

    return driven(life, main, 4, expect=24)


@scenario()
def a_child_that_fails(life: Life) -> Drive:
    @life.step
    def fail() -> None:
        raise ValueError("no")

    @life.step
    def handled(text: str) -> str:
        return text

    @life.workflow
    def child() -> None:
        fail()

    @life.workflow
    def main() -> str:
        try:
            child()
        except ValueError as error:
            return handled(str(error))
        return "no error"

    return driven(life, main, expect="no")


@scenario(linger=0)
def the_first_of_two_children(life: Life) -> Drive:
    @life.step
    def took(place: int, result: str) -> str:
        return f"{place} {result}"

    @life.workflow
    def child(hours: float) -> str:
        litewf.sleep(hours * 3600)
        return f"after {hours}"

    @life.workflow
    def main() -> str:
        handles = [litewf.start_workflow(child, 2.0), litewf.start_workflow(child, 1.0)]
        winner = litewf.wait_first(handles)
        return took(handles.index(winner), winner.get_result())

    return driven(life, main)


@scenario()
def the_first_of_a_child_and_a_sleep(life: Life) -> Drive:
    @life.step
    async def took(what: str) -> str:
        return what

    @life.workflow
    async def child() -> str:
        await litewf.sleep_async(5 * DAY_S)
        return "child"

    @life.workflow
    async def main() -> str:
        handle = await litewf.start_workflow_async(child)
        nap = litewf.sleep_async(DAY_S)
        winner = await litewf.wait_first_async([handle, nap])
        first = await took("nap" if winner is nap else "child")
        if winner is nap:
            await nap
        return first + await took(await handle.get_result_async())

    return driven(life, main)


# --- branches -----------------------------------------------------------------------------------------------------


@scenario()
def a_gather_of_branches(life: Life) -> Drive:
    import asyncio

    @life.step
    async def grow(branch: int, x: int) -> int:
        return x + branch

    @life.workflow
    async def main() -> list[int]:
        async def branch(n: int) -> int:
            return await grow(n, await grow(n, 0))

        both = await asyncio.gather(branch(1), branch(2), branch(3))
        direct = await asyncio.gather(grow.inner(7, 0), grow.inner(8, 0))
        for receipt, _ in direct:
            life.ledger.saw(receipt)
        return [*both, *[value for _, value in direct]]

    return driven(life, main, expect=[2, 4, 6, 7, 8])


@scenario(linger=0)
def a_task_group_with_sleeps(life: Life) -> Drive:
    import asyncio

    @life.step
    async def grow(branch: int, x: int) -> int:
        return x + branch

    @life.workflow
    async def main() -> int:
        async def branch(n: int) -> int:
            first = await grow(n, 0)
            await litewf.sleep_async((3 - n) * 3600)
            return await grow(n, first)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(branch(n)) for n in (1, 2)]
        return await grow(100, sum(task.result() for task in tasks))

    return driven(life, main, expect=106)


# --- values -------------------------------------------------------------------------------------------------------


@scenario()
def values_that_replay(life: Life) -> Drive:
    @life.step
    def use(*values: Any) -> int:
        return len(values)

    @life.workflow
    def main() -> int:
        first = use(litewf.now(), litewf.random(), litewf.uuid())
        token, moment = litewf.uuid(), litewf.now()
        litewf.sleep(DAY_S)
        return first + use(1, token, moment)

    return driven(life, main, expect=6)


@scenario(linger=0)
def async_values_that_replay_parked(life: Life) -> Drive:
    @life.step
    async def use(*values: Any) -> int:
        return len(values)

    @life.workflow
    async def main() -> int:
        token, number = litewf.uuid(), litewf.random()
        await litewf.sleep_async(DAY_S)
        moment = litewf.now()
        return await use(token, number, moment)

    return driven(life, main, expect=3)


@scenario()
def a_patch_is_decided_once(life: Life) -> Drive:
    @life.step
    def work(x: str) -> str:
        return x

    @life.workflow
    def main() -> list[str]:
        begin = work("begin")
        way = "new" if litewf.patch("p") else "old"
        return [begin, work(way), work("end")]

    return driven(life, main)


@scenario()
def a_workflow_continues_as_new(life: Life) -> Drive:
    @life.step
    def add(generation: int, total: int) -> int:
        return total + generation

    @life.workflow
    def main(generation: int, total: int) -> int:
        total = add(generation, total)
        litewf.sleep(DAY_S)
        if generation < 3:
            litewf.continue_as_new(generation + 1, total)
        return total

    return driven(life, main, 1, 0, expect=6)


@scenario()
def an_async_workflow_with_children_continues_as_new(life: Life) -> Drive:
    @life.step
    async def add(generation: int, total: int) -> int:
        return total + generation

    @life.workflow
    async def child(generation: int) -> int:
        return generation

    @life.workflow
    async def main(generation: int, total: int) -> int:
        total = await add(await child(generation), total)
        if generation < 3:
            litewf.continue_as_new(generation + 1, total)
        return total

    return driven(life, main, 1, 0, expect=6)


# --- the user's own tables ----------------------------------------------------------------------------------------


def _create(conn: litewf.Connection) -> None:
    conn.execute("CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL) STRICT")
    conn.execute("INSERT INTO account VALUES ('a', 0) ON CONFLICT DO NOTHING")


def _banker(life: Life, engine: litewf.Engine, workflow: Any) -> None:
    life.ledger.acknowledge("table", lambda: engine.transact(_create))
    handle = life.start(workflow, "w")
    life.settle()
    assert handle.get_result(timeout=0) == [1, 3]
    assert engine.query("SELECT balance FROM account") == [(3,)], "B11 the effect was not exactly once"


@scenario()
def transactions_take_effect_once(life: Life) -> Drive:
    @life.transaction
    def deposit(conn: litewf.Connection, amount: int) -> int:
        conn.execute("UPDATE account SET balance = balance + ?", (amount,))
        return next(iter(conn.execute("SELECT balance FROM account")))[0]

    @life.transaction
    def refuse(conn: litewf.Connection) -> None:
        conn.execute("UPDATE account SET balance = 999")
        raise ValueError("refused")

    @life.workflow
    def main() -> list[int]:
        first = deposit(1)
        try:
            refuse()
        except ValueError:
            pass
        return [first, deposit(2)]

    return lambda engine: _banker(life, engine, main)


@scenario(linger=0)
def async_transactions_take_effect_once(life: Life) -> Drive:
    @life.transaction
    def deposit(conn: litewf.Connection, amount: int) -> int:
        conn.execute("UPDATE account SET balance = balance + ?", (amount,))
        return next(iter(conn.execute("SELECT balance FROM account")))[0]

    @life.workflow
    async def main() -> list[int]:
        first = await deposit.run_async(1)
        await litewf.sleep_async(60)
        return [first, await deposit.run_async(2)]

    return lambda engine: _banker(life, engine, main)


# --- cancel and resume --------------------------------------------------------------------------------------------


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


@scenario(downtime_s=(0.0,), resumable=frozenset())
def a_cancel_stops_the_family(life: Life) -> Drive:
    main = _family(life)

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "w")
        life.settle(life.time.now_us + 3_600_000_000)
        _cancel(life, engine)
        life.settle()
        assert {one.status for one in engine.list_workflows()} == {"CANCELLED"}

    return drive


@scenario(downtime_s=(0.0,), resumable=frozenset(FAMILY), linger=0)
def a_cancelled_family_is_resumed(life: Life) -> Drive:
    main = _family(life)

    def resume(engine: litewf.Engine) -> None:
        life.ledger.stopped.clear()
        engine.resume_workflow("w")

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        if "cancelled" not in life.ledger.acknowledged:
            life.settle(life.time.now_us + 3_600_000_000)
            _cancel(life, engine)
            life.settle(life.time.now_us + 60_000_000)
        life.ledger.acknowledge("resumed", lambda: resume(engine))
        life.settle()
        assert handle.get_result(timeout=0) == ["child 1 ends", "child 2 ends"]

    return drive


SMALLEST: Sequence[str] = ("steps_in_sequence", "async_steps_in_sequence", "a_child_is_awaited", "a_month_of_sleep_parked")

"""`crash_everywhere` on workflows with planted mistakes: each is found, named and explained; sound ones pass."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

import litewf
from litewf.testing import CrashReport, CrashTestFailure, Fake, crash_everywhere

AFTER = "after the call and before the checkpoint"


@pytest.fixture
def bank() -> Fake:
    return Fake("bank", charge=lambda cents: f"receipt {cents}", refund=lambda receipt: None)


def failure_of(*args: Any, **options: Any) -> str:
    with pytest.raises(CrashTestFailure) as info:
        crash_everywhere(*args, **options)
    return str(info.value)


@pytest.fixture(params=["sync", "async", "a sync step of an async workflow"])
def checkout(request: pytest.FixtureRequest, registry: litewf.Registry, bank: Fake) -> Callable[..., Any]:
    """Makes a workflow that charges once, with or without a key."""
    kind = request.param

    def make(*, careful: bool, **options: Any) -> Any:
        def charge(cents: int) -> str:
            key = {"idempotency_key": litewf.idempotency_key()} if careful else {}
            receipt: str = bank.charge(cents, **key)
            return receipt

        async def charge_async(cents: int) -> str:
            return charge(cents)

        async def checkout(cents: int) -> str:
            receipt: str = await (litewf.run_step_async(step, cents) if kind != "async" else step(cents))
            await litewf.sleep_async(3600)
            return receipt

        def checkout_sync(cents: int) -> str:
            receipt: str = step(cents)
            litewf.sleep(3600)
            return receipt

        step: Any = registry.step(name="charge", **options)(charge_async if kind == "async" else charge)
        return registry.workflow(name="checkout")(checkout_sync if kind == "sync" else checkout)

    return make


def test_a_double_charge_is_found_and_the_step_the_moment_the_fix_and_the_replay_are_named(
    checkout: Callable[..., Any], bank: Fake
) -> None:
    workflow = checkout(careful=False)
    text = failure_of(workflow, 4900, effects=[bank])
    assert f"`charge` ran twice when the process died {AFTER}" in text
    assert "bank.charge(4900) happened twice instead of once: pass idempotency_key()" in text
    assert 'crash_everywhere(checkout, ..., at="body.after charge 1")' in text


def test_with_its_key_the_charge_happens_once(checkout: Callable[..., Any], bank: Fake) -> None:
    report = crash_everywhere(checkout(careful=True), 4900, effects=[bank])
    assert report.deaths + len(report.not_reached) == len(report.points) > 12
    step = report.steps["charge"]
    assert step.runs == 1
    assert set(step.repeats) == {AFTER}
    assert "body.after charge 1" in step.points
    assert "bank.charge gets its idempotency key" in str(report)


def test_a_step_that_must_not_run_again_does_not(checkout: Callable[..., Any], bank: Fake) -> None:
    text = failure_of(checkout(careful=False, on_uncertain="fail"), 4900, effects=[bank])
    assert "the outcome of checkout-1: ERROR" in text
    assert "StepUncertainError" in text
    assert "ran twice" not in text


def test_a_probe_that_knows_what_happened_is_sound(checkout: Callable[..., Any], bank: Fake) -> None:
    def probe(cents: int) -> Any:
        return f"receipt {cents}" if bank.happened() else litewf.NOT_DONE

    crash_everywhere(checkout(careful=False, on_uncertain=probe), 4900, effects=[bank])


def test_one_death_is_replayed_by_its_name(checkout: Callable[..., Any], bank: Fake) -> None:
    workflow = checkout(careful=False)
    text = failure_of(workflow, 4900, effects=[bank], at="body.after charge 1")
    assert "1 of 1 deaths did harm" in text
    assert crash_everywhere(workflow, 4900, effects=[bank], at="body.before charge 1").deaths == 1
    assert crash_everywhere(workflow, 4900, effects=[bank], at="commit.before 1, then commit.after 1").deaths == 2


def test_a_death_that_does_not_come_is_refused_with_the_points_that_there_are(checkout: Callable[..., Any]) -> None:
    with pytest.raises(litewf.UsageError, match=r"did not come by 'body.after refund 1'.*body.after charge 1"):
        crash_everywhere(checkout(careful=True), 1, at="body.after refund 1")


def test_an_effect_outside_of_steps_is_found(registry: litewf.Registry, bank: Fake) -> None:
    @registry.workflow
    def careless() -> None:
        bank.charge(1)
        litewf.sleep(60)

    text = failure_of(careless, effects=[bank])
    assert "the workflow's own code called it, which runs again at each recovery: move it into a step" in text


def test_a_key_that_changes_is_found(registry: litewf.Registry, bank: Fake) -> None:
    keys = itertools.count()

    @registry.step
    def charge() -> None:
        bank.charge(1, idempotency_key=f"key-{next(keys)}")

    text = failure_of(registry.workflow(name="w")(lambda: [charge()]), effects=[bank])
    assert "the keys of its calls differ (key-" in text
    assert "litewf.idempotency_key(), which stays the same" in text


def test_code_that_is_not_deterministic_is_found(registry: litewf.Registry) -> None:
    coin: list[int] = []
    steps = [registry.step(name=name)(lambda: None) for name in ("heads", "tails")]

    @registry.workflow
    def gamble() -> None:
        coin.append(0)
        steps[len(coin) % 2]()

    text = failure_of(gamble, setup=coin.clear)
    assert "the outcome of gamble-1: held: step 1 is recorded as 'tails', but the code now calls 'heads'" in text
    assert "make its code do the same each time: now(), random(), uuid() of litewf, effects in steps" in text


def test_a_result_that_depends_on_a_death_is_found(registry: litewf.Registry) -> None:
    starts: list[int] = []

    @registry.step
    def count() -> int:
        starts.append(1)
        return len(starts)

    text = failure_of(registry.workflow(name="counting")(lambda: [count()][0]), setup=starts.clear)
    assert "the outcome of counting-1: SUCCESS 2 instead of SUCCESS 1" in text


@pytest.mark.parametrize("what", ["event", "stream", "message", "child", "table", "cloud event"])
def test_every_trace_of_a_run_is_compared(what: str, registry: litewf.Registry) -> None:
    """A step that counts its runs in memory: whatever it is told to become differs after a death."""
    starts: list[int] = []
    child = registry.workflow(name="child")(lambda number: None)
    receiver = registry.workflow(name="receiver")(lambda: [litewf.recv(), litewf.recv("never", timeout=9, default="")])

    @registry.step
    def count() -> int:
        starts.append(1)
        return len(starts)

    @registry.transaction
    def insert(connection: litewf.Connection, number: int) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER)")
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))

    @registry.workflow(name="main")
    def main() -> None:
        number = count()
        if what == "event":
            litewf.set_event("number", number)
        elif what == "stream":
            litewf.write_stream("numbers", number)
        elif what == "message":
            litewf.start_workflow(receiver.with_options(workflow_id="r", detached=True))
            litewf.send("r", number)
        elif what == "child":
            litewf.start_workflow(child.with_options(workflow_id=f"child-{number}"), number)
        elif what == "table":
            insert(number)
        else:
            litewf.publish_event("counted", number)

    text = failure_of(main, setup=starts.clear)
    assert {
        "event": "event 'number' of main-1: 2 instead of 1",
        "stream": "stream 'numbers' of main-1: ['2'] instead of ['1']",
        "message": "the messages received of r: [(None, '2')] instead of [(None, '1')]",
        "child": "the workflows: ['child-2 (child)', 'main-1 (main)'] instead of ['child-1",
        "table": "the rows of table numbers: [(2,)] instead of [(1,)]",
        "cloud event": "the CloudEvents of type 'counted' from 'litewf': ('2',) instead of ('1',)",
    }[what] in text


def test_what_differs_without_a_crash_is_not_compared_and_the_report_says_so(registry: litewf.Registry) -> None:
    numbers = itertools.count()
    step = registry.step(name="number")(lambda: next(numbers))
    report = crash_everywhere(registry.workflow(name="w")(lambda: [step()][0]))
    assert len(report.not_compared) == 1
    assert "the outcome of w-1" in report.not_compared[0]
    assert "not compared" in str(report)


def test_an_effect_that_differs_without_a_crash_is_refused(registry: litewf.Registry, bank: Fake) -> None:
    numbers = itertools.count()
    step = registry.step(name="number")(lambda: bank.charge(next(numbers)))
    with pytest.raises(litewf.UsageError, match="let `setup` put everything back"):
        crash_everywhere(registry.workflow(name="w")(lambda: [step()][0]), effects=[bank])


def test_values_of_litewf_are_the_same_in_every_life(registry: litewf.Registry) -> None:
    step = registry.step(name="step")(lambda x: x)

    @registry.workflow
    def drawing() -> Any:
        return step(1), litewf.random(), litewf.uuid(), litewf.now(), step(2), litewf.random()

    assert crash_everywhere(drawing).not_compared == []


def test_a_check_of_the_user_runs_in_each_trial(registry: litewf.Registry) -> None:
    runs: list[int] = []
    step = registry.step(name="step")(lambda: runs.append(1))

    def check(engine: litewf.Engine) -> None:
        assert engine.retrieve_workflow("w-1").get_result() is None
        assert len(runs) == 1, f"it ran {len(runs)} times"

    text = failure_of(registry.workflow(name="w")(lambda: [step()][0]), setup=runs.clear, check=check)
    assert "AssertionError: it ran 2 times" in text


def _everything(registry: litewf.Registry, bank: Fake) -> Any:
    """Retries, a parked wait, a message, children on a queue, an event, a stream, a transaction."""
    litewf.Queue("work", global_concurrency=1, registry=registry)

    @registry.step(max_retries=2, base_interval=60)
    def flaky(x: int) -> int:
        if litewf.attempt() == 1:
            raise OSError("not now")
        return x

    @registry.step
    def charge(x: int) -> str:
        litewf.write_stream("log", x)
        receipt: str = bank.charge(x, idempotency_key=litewf.idempotency_key())
        return receipt

    @registry.transaction
    def book(connection: litewf.Connection, receipt: str) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS books (receipt TEXT)")
        connection.execute("INSERT INTO books VALUES (?)", (receipt,))

    @registry.workflow
    def part(x: int) -> int:
        return flaky(x)

    @registry.workflow
    def everything() -> Any:
        parts = [litewf.enqueue("work", part, n) for n in range(1)]
        numbers = [handle.get_result() for handle in parts]
        litewf.set_event("ready", numbers)
        cents = litewf.recv("pay", timeout=30 * 86400)
        receipt = charge(cents)
        book(receipt)
        return receipt, numbers

    return everything


def test_waits_retries_children_queues_and_transactions_survive_everything(
    registry: litewf.Registry, bank: Fake
) -> None:
    def pay(outside: Any, handle: Any) -> None:
        assert outside.get_event(handle.workflow_id, "ready", timeout=3600) == [0]
        outside.advance(3600)
        outside.send(handle.workflow_id, 4900, "pay")
        assert handle.get_result() == ("receipt 4900", [0])

    report = crash_everywhere(_everything(registry, bank), effects=[bank], drive=pay)
    assert report.deaths > 45
    assert report.steps["flaky"].runs == 2
    assert report.not_compared == []


def test_a_second_death_in_the_recovery_is_a_sample_or_each(registry: litewf.Registry) -> None:
    workflow = registry.workflow(name="w")(lambda: 1)
    once, sample, every = (crash_everywhere(workflow, second_death=kind) for kind in ("never", "sample", "every"))  # type: ignore[arg-type]  # each is one of the three
    assert once.deaths == len(once.points)
    assert 2 * once.deaths < sample.deaths <= 3 * once.deaths
    assert every.deaths > 4 * once.deaths


def test_time_between_a_death_and_the_next_engine(registry: litewf.Registry) -> None:
    def main() -> bool:
        began = litewf.now()
        litewf.sleep(60)
        return (litewf.now() - began).total_seconds() > 3600

    workflow = registry.workflow(name="sleeper")(main)
    crash_everywhere(workflow)
    assert "SUCCESS true instead of SUCCESS false" in failure_of(workflow, downtime=86400)


def test_a_workflow_that_waits_for_somebody_needs_a_drive(registry: litewf.Registry) -> None:
    workflow = registry.workflow(name="w")(lambda: litewf.recv("pay"))
    with pytest.raises(litewf.UsageError, match=r"waits for a message on topic 'pay': hand in drive="):
        crash_everywhere(workflow)


def test_options_of_the_workflow_and_of_the_engine_and_keyword_arguments(registry: litewf.Registry) -> None:
    seen: set[Any] = set()

    @registry.workflow
    def main(one: int, *, two: int) -> int:
        seen.add((litewf.workflow_id(), two))
        return one + two

    report = crash_everywhere(main.with_options(workflow_id="mine"), 1, kwargs={"two": 2}, linger=None)
    assert isinstance(report, CrashReport)
    assert seen == {("mine", 2)}


def test_a_workflow_that_fails_fails_the_same_after_every_crash(registry: litewf.Registry, bank: Fake) -> None:
    @registry.step
    def decline() -> None:
        raise ValueError("declined")

    @registry.workflow
    def refunding() -> None:
        try:
            decline()
        except ValueError:
            litewf.run_step(lambda: bank.refund("r", idempotency_key=litewf.idempotency_key()))
            raise

    crash_everywhere(refunding, effects=[bank])


def test_six_steps_are_explored_within_two_seconds(registry: litewf.Registry, bank: Fake) -> None:
    """It takes a third of a second of processor time; the rest is room for a loaded machine."""

    @registry.step
    def step(n: int) -> Any:
        return bank.charge(n, idempotency_key=litewf.idempotency_key())

    report = crash_everywhere(registry.workflow(name="six")(lambda: [step(n) for n in range(6)]), effects=[bank])
    assert report.deaths + len(report.not_reached) == len(report.points) >= 26
    assert report.seconds < 2 * LOADED


LOADED = 3  # how many times slower this machine may be than an idle one

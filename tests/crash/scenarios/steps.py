"""Steps in sequence, retried, uncertain, failing; workflows that raise."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import driven, scenario


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


class FlakyError(Exception):
    """What an attempt raises that is to be tried again."""


@scenario()
def a_step_is_retried_with_backoff(life: Life) -> Drive:
    @life.step(max_retries=3, base_interval=60, max_interval=3600, backoff_factor=10)
    def third_time_lucky(x: int) -> int:
        if litewf.attempt() < 3:
            raise FlakyError(f"attempt {litewf.attempt()}")
        return x

    @life.workflow
    def main() -> int:
        return third_time_lucky(1) + third_time_lucky(2)

    return driven(life, main, expect=3)


@scenario(linger=0)
def async_retries_that_run_out(life: Life) -> Drive:
    @life.step(max_retries=2, base_interval=60)
    async def never(x: int) -> int:
        raise FlakyError(f"attempt {litewf.attempt()}")

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

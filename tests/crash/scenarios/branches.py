"""Async branches: a gather, a task group."""

import asyncio
from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life, bare
from tests.crash.scenarios.writing import driven, scenario


@scenario()
def a_gather_of_branches(life: Life) -> Drive:
    @life.step
    async def grow(branch: int, x: int) -> int:
        return x + branch

    @life.workflow
    async def main() -> list[int]:
        async def branch(n: int) -> int:
            return await grow(n, await grow(n, 0))

        both = await asyncio.gather(branch(1), branch(2), branch(3))
        direct = await asyncio.gather(bare(grow)(7, 0), bare(grow)(8, 0))
        for receipt, _ in direct:
            life.ledger.saw(receipt)
        return [*both, *[value for _, value in direct]]

    return driven(life, main, expect=[2, 4, 6, 7, 8])


@scenario(linger=0)
def a_task_group_with_sleeps(life: Life) -> Drive:
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


@scenario(linger=0)
def a_task_group_whose_task_fails(life: Life) -> Drive:
    """The sibling is cancelled between two steps, or while one is written, and cleans up; then all is replayed."""

    @life.step
    async def grow(x: int) -> int:
        return x + 1

    @life.step
    async def fail() -> None:
        raise ValueError("no")

    @life.step
    async def clean_up(x: int) -> int:
        return x

    @life.workflow
    async def main() -> str:
        async def worker() -> None:
            x = 0
            try:
                while x < 50:
                    x = await grow(x)
            finally:
                await clean_up(0)

        outcome = "done"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(worker())
                group.create_task(fail())
        except* ValueError:
            outcome = "failed"
        await litewf.sleep_async(3600)
        return outcome

    return driven(life, main, expect="failed")


@scenario(linger=0)
def branches_that_see_values_before_their_steps(life: Life) -> Drive:
    """One commit carries the values of all: before bodies, after a sleep, with an event, a message and a stream."""

    @life.step
    async def use(branch: int, *values: Any) -> int:
        return branch + len(values)

    @life.workflow
    async def main() -> list[int]:
        async def branch(n: int) -> int:
            token = life.note_here(f"token {n}", litewf.uuid())
            first = await use(n, token, litewf.random())
            await litewf.sleep_async(3600)
            return first + await use(n, token, litewf.now())

        async def show() -> int:
            number = litewf.random()
            await litewf.set_event_async("e", number)
            number += litewf.random()
            await litewf.write_stream_async("k", number)
            number += litewf.random()
            await litewf.send_async("w", number)
            life.note("number", number)
            return await use(0, number, await litewf.recv_async())

        return await asyncio.gather(branch(1), branch(2), branch(3), show())

    return driven(life, main, expect=[6, 8, 10, 2])


@scenario()
def a_branch_is_given_up_while_it_carries_what_others_have_seen(life: Life) -> Drive:
    @life.step
    async def use(branch: int, *values: Any) -> int:
        return branch + len(values)

    @life.workflow
    async def main() -> list[int]:
        async def branch(n: int) -> int:
            return await use(n, litewf.uuid(), litewf.random())

        begun = [asyncio.create_task(branch(n)) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        begun[0].cancel()
        done = await asyncio.gather(*begun, return_exceptions=True)
        return [one for one in done[1:] if isinstance(one, int)]

    return driven(life, main, expect=[4, 5])

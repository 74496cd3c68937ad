"""Async branches: a gather, a task group."""

import asyncio

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

"""The same ideas with async functions: branches of a gather are recorded each on its own."""

import asyncio

import litewf


@litewf.step
async def fetch(page: int) -> int:
    await asyncio.sleep(0.01)  # plain waiting, inside a step
    return page * 100


@litewf.step
async def save(total: int) -> str:
    return f"saved {total}"


@litewf.workflow
async def collect(pages: int) -> str:
    counts = await asyncio.gather(*(fetch(page) for page in range(1, pages + 1)))
    await litewf.sleep_async(0.2)  # durable waiting: it survives a restart
    return await save(sum(counts))


async def main() -> None:
    async with litewf.Engine("async_quickstart.db") as engine:
        handle = await engine.start_workflow_async(collect.with_options(workflow_id="collect-1"), 4)
        print(await handle.get_result_async())
        print(f"{len(await engine.list_steps_async('collect-1'))} steps recorded")


if __name__ == "__main__":
    asyncio.run(main())

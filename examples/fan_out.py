"""One workflow that starts others: all of them, the first of them, and some at once in a gather."""

import asyncio

import litewf


@litewf.step
async def ask(shop: str) -> int:
    return 100 * len(shop)


@litewf.workflow
async def quote(shop: str, delay: float) -> tuple[str, int]:
    await litewf.sleep_async(delay)  # some shops take their time
    return shop, await ask(shop)


@litewf.workflow
async def fastest(shops: dict[str, float]) -> str:
    quotes = [await litewf.start_workflow_async(quote, shop, delay) for shop, delay in shops.items()]
    first = await litewf.wait_first_async(quotes)  # the choice is recorded; the others go on
    shop, price = await first.get_result_async()
    return f"the fastest is {shop} with {price}"


@litewf.workflow
async def cheapest(shops: dict[str, float]) -> str:
    quotes = [await litewf.start_workflow_async(quote, shop, delay) for shop, delay in shops.items()]
    shop, price = min(await litewf.wait_all_async(quotes), key=lambda found: found[1])
    return f"the cheapest is {shop} with {price}"


@litewf.workflow
async def both(shops: dict[str, float]) -> list[str]:
    return await asyncio.gather(fastest(shops), cheapest(shops))  # to call a workflow is to run a child


if __name__ == "__main__":
    with litewf.Engine("fan_out.db") as engine:
        for line in engine.run_workflow(both, {"corner shop": 0.6, "warehouse": 0.05, "bazaar": 0.3}):
            print(line)
        print(f"{len(engine.list_workflows())} workflows in the file")

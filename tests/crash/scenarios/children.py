"""Children: called, started, many at once, failing, and the first of several."""

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario


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
        called: int = life.note("called", child(5))
        started: int = life.note("started", litewf.start_workflow(child, 7).get_result())
        return double(called) + started

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
        called: int = life.note("called", await child(5))
        started: int = life.note("started", await handle.get_result_async())
        return await double(called) + started

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

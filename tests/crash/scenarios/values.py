"""Values that replay, patches, and workflows that continue as new."""

from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario


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
        token, number = life.note_here("values", (litewf.uuid(), litewf.random()))
        await litewf.sleep_async(DAY_S)
        moment = litewf.now()
        return await use(token, number, moment)

    return driven(life, main, expect=3)


@scenario(linger=0)
def values_are_kept_while_a_child_is_awaited(life: Life) -> Drive:
    @life.step
    def use(*values: Any) -> int:
        return len(values)

    @life.workflow
    def child() -> None:
        litewf.sleep(DAY_S)

    @life.workflow
    def main() -> int:
        handle = litewf.start_workflow(child)
        values = (litewf.now(), litewf.random(), litewf.uuid())
        life.note_here("values", values)
        handle.get_result()
        return use(*values)

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

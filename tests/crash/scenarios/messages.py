"""Messages: sent from outside and by workflows, received in order, each once; waits for them, and what ends these."""

import asyncio
from collections.abc import Sequence
from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario, slept


def send(life: Life, workflow_id: str, message: object, topic: str | None = None) -> None:
    """Send it, unless an earlier life was told that it is sent; A4: then it must be in the file after every death."""
    key = f"{topic} {message}"
    life.ledger.acknowledge(
        f"sent {workflow_id} {key}",
        lambda: life.engine.send(workflow_id, message, topic, idempotency_key=key),
    )


def _receiver(life: Life, count: int) -> Any:
    @life.step
    def use(place: int, message: int) -> int:
        return message

    @life.workflow
    def receiver() -> list[int]:
        return [use(place, life.note_here(f"message {place}", litewf.recv())) for place in range(count)]

    return receiver


def _sent_from_outside(life: Life) -> Drive:
    receiver = _receiver(life, 3)

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(receiver, "w")
        for n in range(3):
            send(life, "w", n)
            if n == 1:
                life.settle()
        life.settle()
        assert handle.get_result(timeout=0) == [0, 1, 2], "E1, E3"

    return drive


@scenario(linger=0)
def messages_from_outside_parked(life: Life) -> Drive:
    return _sent_from_outside(life)


@scenario(linger=None)
def messages_from_outside_in_memory(life: Life) -> Drive:
    return _sent_from_outside(life)


@scenario(linger=0)
def a_workflow_sends_to_another(life: Life) -> Drive:
    """E1, E3, E6: without a key, and each message exactly once."""

    @life.step
    def work(who: str, n: int) -> int:
        return n

    @life.workflow
    def receiver() -> list[int]:
        got = [work("receiver", litewf.recv()) for _ in range(3)]
        return [*got, litewf.recv(timeout=DAY_S, default="nothing more")]

    @life.workflow
    def sender() -> None:
        litewf.send("w", work("sender", 0))
        litewf.send_bulk([litewf.Message("w", 1), litewf.Message("w", 2)])
        litewf.sleep(60)

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(receiver, "w")
        life.start(sender, "s")
        life.settle()
        assert handle.get_result(timeout=0) == [0, 1, 2, "nothing more"]

    return drive


@scenario()
def two_async_workflows_answer_each_other(life: Life) -> Drive:
    @life.step
    async def double(n: int) -> int:
        return 2 * n

    @life.workflow
    async def answering() -> None:
        for _ in range(2):
            question = await litewf.recv_async()
            await litewf.send_async("w", await double(question), "answer")

    @life.workflow
    async def asking() -> list[int]:
        await litewf.start_workflow_async(answering.with_options(workflow_id="a"))
        got: list[int] = []
        for n in (1, 2):
            await litewf.send_async("a", n)
            got.append(life.note_here(f"answer {n}", await litewf.recv_async("answer")))
        return got

    return driven(life, asking, expect=[2, 4])


@scenario(linger=0)
def a_recv_times_out_at_its_time(life: Life) -> Drive:
    """E4, C3: the deadline is that of the first life."""

    @life.step
    def after(what: str, since: str) -> str:
        return what

    @life.workflow
    def main() -> list[str]:
        began = litewf.now()
        first = litewf.recv(timeout=DAY_S, default="nothing")
        slept(life, began, DAY_S)
        return [after(first, began.isoformat()), after(litewf.recv(), "then")]

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        life.settle()
        send(life, "w", "late")
        life.settle()
        assert handle.get_result(timeout=0) == ["nothing", "late"]

    return drive


@scenario(downtime_s=(7200.0,))
def a_message_comes_just_before_the_deadline(life: Life) -> Drive:
    """E4: however late the engine is, what was there at the deadline counts."""

    @life.step
    def after(what: str) -> str:
        return what

    @life.workflow
    def main() -> str:
        return after(litewf.recv(timeout=3600, default="nothing"))

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        send(life, "w", "hello")
        if life.ledger.life == 0:  # later lives come after the deadline
            life.ledger.acknowledged.add("in time")
        life.settle()
        result = handle.get_result(timeout=0)
        assert result == "hello" or "in time" not in life.ledger.acknowledged, result

    return drive


@scenario(linger=0)
def branches_receive_on_one_topic(life: Life) -> Drive:
    @life.step
    async def use(branch: str, message: int) -> int:
        return message

    @life.workflow
    async def main() -> list[int]:
        async def branch(name: str) -> list[int]:
            return [await use(name, await litewf.recv_async("t")) for _ in range(2)]

        first, second = await asyncio.gather(branch("a"), branch("b"))
        assert first == sorted(first), "E3"
        assert second == sorted(second), "E3"
        return sorted(first + second)

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        for n in range(4):
            send(life, "w", n, "t")
        life.settle()
        assert handle.get_result(timeout=0) == [0, 1, 2, 3], "E1"

    return drive


@scenario()
def the_first_of_two_messages_and_a_sleep(life: Life) -> Drive:
    @life.step
    async def took(what: Sequence[object]) -> Sequence[object]:
        return what

    @life.workflow
    async def main() -> list[Sequence[object]]:
        got: list[Sequence[object]] = []
        for turn in range(2):
            waits: list[Any] = [litewf.recv_async("a"), litewf.recv_async("b"), litewf.sleep_async(DAY_S)]
            first = await litewf.wait_first_async(waits)
            got.append(await took([turn, waits.index(first), await first]))
        left = [await litewf.recv_async(topic, timeout=0, default="nothing") for topic in ("a", "b")]
        return [*got, await took(left)]

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        send(life, "w", "hello", "b")
        life.settle()
        assert handle.get_result(timeout=0) == [[0, 1, "hello"], [1, 2, None], ["nothing", "nothing"]]

    return drive


@scenario(linger=0)
def messages_wait_for_the_next_generation(life: Life) -> Drive:
    @life.step
    def use(generation: int, message: int) -> int:
        return message

    @life.workflow
    def main(got: list[int]) -> list[int]:
        got = [*got, use(len(got), litewf.recv())]
        if len(got) < 3:
            litewf.continue_as_new(got)
        return got

    def drive(_engine: litewf.Engine) -> None:
        handle = life.start(main, "w", [])
        for n in range(3):
            send(life, "w", n)
        life.settle()
        assert handle.get_result(timeout=0) == [0, 1, 2]

    return drive


@scenario()
def a_destination_that_does_not_exist(life: Life) -> Drive:
    @life.step
    def later() -> None:
        pass

    @life.workflow
    def other() -> None:
        later()

    @life.workflow
    def main() -> list[object]:
        try:
            litewf.send_bulk([litewf.Message("w", 1), litewf.Message("other", 2)])
            outcome = "sent"
        except litewf.WorkflowNotFoundError as error:
            outcome = str(error)
        litewf.start_workflow(other.with_options(workflow_id="other"))
        return [life.note("outcome", outcome), litewf.recv(timeout=0, default="nothing")]

    return driven(life, main, expect=["there is no workflow 'other' in this file", "nothing"])


@scenario(linger=0, resumable=frozenset({"w"}), downtime_s=(0.0,))
def a_cancel_returns_nothing_and_a_rewind_all(life: Life) -> Drive:
    """A message is kept by a workflow that was cancelled; one that it had consumed is read again after a rewind."""

    @life.workflow
    def main() -> list[str]:
        return [litewf.recv(), litewf.recv("more")]

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(main, "w")
        send(life, "w", "first")
        life.settle()
        life.ledger.acknowledge("cancelled w", lambda: engine.cancel_workflow("w"))
        send(life, "w", "second", "more")
        if handle.get_status().generation == 1:
            engine.rewind_workflow("w", 1)
        life.settle()
        assert handle.get_result(timeout=0) == ["first", "second"]

    return drive

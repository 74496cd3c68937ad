"""Random plans of senders, receivers, timeouts and cancels, killed at random commits, against a model in plain Python.

Everything happens at moments of its own under virtual time, so the model says exactly what each recv gives (E1, E3, E4,
E5, E6, C3, B9). What must hold in the file after each death, the crash tests' own checks say (E2, A4).
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import litewf
from litewf.testing.clock import FOREVER_US, START_US
from tests.communication.plans import CRASHES, SECOND_US, UNHURRIED, duration, in_us, moment, play
from tests.crash.explorer import Drive
from tests.crash.life import Life

RECEIVERS = ("r0", "r1")
SENDERS = ("s0", "s1", "outside")
TOPICS = (None, "a")
TIMED_OUT, CANCELLED, PENDING = "timed out", "cancelled", "pending"


@dataclass(frozen=True)
class Call:
    """One recv of a receiver, after a sleep."""

    topic: str | None
    timeout_s: int | None
    pause_s: int = 0


@dataclass(frozen=True)
class Act:
    """A message that somebody sends, or a cancel from outside; its place in the plan is its second."""

    by: str
    to: str
    topic: str | None = None
    key: str | None = None
    cancel: bool = False


@dataclass(frozen=True)
class Plan:
    """What is going to happen."""

    calls: dict[str, list[Call]]
    acts: list[Act]
    is_async: bool = False
    linger: float | None = 0


@dataclass
class Receiver:
    """What the model knows of a receiver."""

    calls: list[Call]
    got: list[object] = field(default_factory=list)
    unread: list[tuple[str | None, int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    since_us: int = 0
    cancelled: bool = False

    def advance(self, now_us: int) -> None:
        """Let every call return that can until now."""
        while not self.cancelled and len(self.got) < len(self.calls):
            call, place = self.calls[len(self.got)], len(self.got)
            begin_us = self.since_us + in_us(call.pause_s, place + 8)
            due_us = FOREVER_US if call.timeout_s is None else begin_us + in_us(call.timeout_s, place)
            mine = next((message for message in self.unread if message[0] == call.topic), None)
            end_us = due_us if mine is None else max(begin_us, mine[1] * SECOND_US)
            if max(begin_us, end_us) > now_us:
                return
            if mine is not None:
                self.unread.remove(mine)
            self.got.append(TIMED_OUT if mine is None else mine[1])
            self.since_us = end_us

    def outcome(self) -> object:
        if self.cancelled:
            return CANCELLED
        return list(self.got) if len(self.got) == len(self.calls) else PENDING


def predicted(plan: Plan) -> dict[str, Receiver]:
    """What must come of a plan."""
    receivers = {name: Receiver(calls) for name, calls in plan.calls.items()}
    for receiver in receivers.values():
        receiver.advance(0)
    for second, act in enumerate(plan.acts, 1):
        for receiver in receivers.values():
            receiver.advance(second * SECOND_US - 1)
        receiver = receivers[act.to]
        if act.cancel:
            receiver.cancelled |= receiver.outcome() is PENDING
        elif act.key is None or act.key not in receiver.keys:
            receiver.keys |= {act.key} if act.key else set()
            receiver.unread.append((act.topic, second))
            receiver.advance(second * SECOND_US)
    for receiver in receivers.values():
        receiver.advance(FOREVER_US - 1)
    return receivers


# --- the same, for real -------------------------------------------------------------------------------------------


def define(life: Life, plan: Plan) -> tuple[Any, Any]:
    """The workflows of a plan."""

    @life.step
    def use(place: int, message: object) -> object:  # before a body starts, what was received is durable
        return message

    @life.step
    async def use_async(place: int, message: object) -> object:
        return message

    @life.workflow
    def receiver(name: str) -> list[object]:
        got: list[object] = []
        for place, call in enumerate(plan.calls[name]):
            if call.pause_s:
                litewf.sleep(duration(call.pause_s, place + 8))
            got.append(use(place, litewf.recv(call.topic, **options(call, place))))
        return got

    @life.workflow
    async def async_receiver(name: str) -> list[object]:
        got: list[object] = []
        for place, call in enumerate(plan.calls[name]):
            if call.pause_s:
                await litewf.sleep_async(duration(call.pause_s, place + 8))
            got.append(await use_async(place, await litewf.recv_async(call.topic, **options(call, place))))
        return got

    @life.workflow
    def sender(name: str) -> None:
        for second, act in enumerate(plan.acts, 1):
            if act.by == name:
                litewf.sleep_until(moment(second))
                litewf.send(act.to, second, act.topic, idempotency_key=act.key)

    return async_receiver if plan.is_async else receiver, sender


def options(call: Call, place: int) -> dict[str, Any]:
    return {} if call.timeout_s is None else {"timeout": duration(call.timeout_s, place), "default": TIMED_OUT}


def played(plan: Plan, life: Life) -> Drive:
    """The plan as a scenario: what it does from outside may be done again after each death."""
    receiver, sender = define(life, plan)

    def act_outside(second: int, act: Act) -> None:
        if act.cancel:
            deed = lambda: life.engine.cancel_workflow(act.to)  # noqa: E731 - one of two
        else:
            key = act.key or f"act {second}"
            deed = lambda: life.engine.send(act.to, second, act.topic, idempotency_key=key)  # noqa: E731 - the other
        life.ledger.acknowledge(f"act {second}", deed)

    def drive(engine: litewf.Engine) -> None:
        handles = {name: life.start(receiver, name, name) for name in plan.calls}
        for name in SENDERS[:2]:
            life.start(sender, name, name)
        life.settle(START_US)
        for second, act in enumerate(plan.acts, 1):
            if act.by == "outside":
                life.settle(START_US + second * SECOND_US)
                act_outside(second, act)
        life.settle()
        for name, expected in predicted(plan).items():
            check(engine, handles[name], expected)

    return drive


def check(engine: litewf.Engine, handle: litewf.WorkflowHandle[Any], expected: Receiver) -> None:
    """Compare one receiver with the model; one that waits for ever is cancelled then."""
    outcome = expected.outcome()
    status = handle.get_status()
    if status.status == "CANCELLED":
        assert outcome in (CANCELLED, PENDING), f"{handle.workflow_id} was cancelled, not {outcome}"
    elif outcome is PENDING:
        assert status.status == "PENDING", f"{handle.workflow_id} is {status.status}, it should wait"
        engine.cancel_workflow(handle.workflow_id)
    else:
        assert handle.get_result(timeout=0, default=PENDING) == outcome, handle.workflow_id
    unread = engine.query(
        "SELECT topic, CAST(value AS INTEGER) FROM message JOIN workflow ON workflow.key = message.workflow"
        " WHERE id = ? AND taken_by IS NULL ORDER BY message.key",
        (handle.workflow_id,),
    )
    assert unread == expected.unread, handle.workflow_id


# --- the property -------------------------------------------------------------------------------------------------

CALLS = st.builds(
    Call, st.sampled_from(TOPICS), st.sampled_from([None, None, 0, 1, 3, 10]), st.sampled_from([0, 0, 0, 2, 7])
)
KEYS = st.sampled_from([None, None, "k", "l"])
SENDS = st.builds(Act, st.sampled_from(SENDERS), st.sampled_from(RECEIVERS), st.sampled_from(TOPICS), KEYS)
CANCELS = st.builds(Act, st.just("outside"), st.sampled_from(RECEIVERS), cancel=st.just(True))
PLANS = st.builds(
    Plan,
    st.fixed_dictionaries({name: st.lists(CALLS, min_size=1, max_size=5) for name in RECEIVERS}),
    st.lists(st.one_of(SENDS, SENDS, SENDS, SENDS, CANCELS), max_size=10),
    st.booleans(),
    st.sampled_from([0, None]),
)
TWO_TOPICS = Plan(
    {"r0": [Call("a", None), Call(None, 3)], "r1": [Call("b", 1)]},
    [Act("s0", "r0", "a"), Act("s1", "r1", "b"), Act("outside", "r0", None, "k"), Act("s0", "r0", None, "k")],
)


@pytest.mark.usefixtures("silent_logs")
@settings(max_examples=40, **UNHURRIED)
@example(TWO_TOPICS, [])
@example(TWO_TOPICS, [30, 12])
@given(PLANS, CRASHES)
def test_every_recv_gives_what_the_model_says(plan: Plan, crashes: list[int]) -> None:
    play(lambda life: played(plan, life), plan.linger, crashes)


@pytest.mark.nightly
@pytest.mark.usefixtures("silent_logs")
@settings(max_examples=2000, **{**UNHURRIED, "derandomize": False})
@given(PLANS, CRASHES)
def test_every_recv_gives_what_the_model_says_in_thousands_of_plans(plan: Plan, crashes: list[int]) -> None:
    play(lambda life: played(plan, life), plan.linger, crashes)

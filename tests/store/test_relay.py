"""Pool threads that hear of a commit come one after the other, and all of them come."""

import threading

from litewf.store.mailboxes import ABREAST, Relay
from litewf.store.operations import Operation


class Waiting(Operation):
    """An operation of a thread that waits in a relay."""

    def __init__(self) -> None:
        super().__init__()
        self.waiter = self.lock = threading.Lock()
        self.lock.acquire()


def told(operations: list[Waiting]) -> list[Waiting]:
    """Those whose thread may go on."""
    return [operation for operation in operations if not operation.lock.locked()]


def test_each_that_comes_lets_one_more_come() -> None:
    rests: list[None] = []
    relay = Relay(lambda: rests.append(None))
    operations = [Waiting() for _ in range(5)]
    relay.deliver(list(operations))
    for come in range(5):
        assert told(operations) == operations[: ABREAST + come][come:]
        assert relay.moving
        assert not rests
        relay.wait(operations[come].lock)
    assert not relay.moving
    assert rests == [None]


def test_a_group_that_is_delivered_meanwhile_stands_behind() -> None:
    relay = Relay(lambda: None)
    first, second = [Waiting() for _ in range(3)], [Waiting() for _ in range(3)]
    relay.deliver(list(first))
    relay.deliver(list(second))
    assert told(second) == []
    for operation in (*first, *second):
        relay.wait(operation.lock)
    assert not relay.moving

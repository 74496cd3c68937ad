"""An engine opens no more connections, and takes no more turns, than it needs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import litewf
from litewf.store import readers, writer
from litewf.testing import MortalEngine, VirtualClock


def test_an_engine_that_is_alone_asks_the_connection_that_writes(
    path: Path, registry: litewf.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_reader = readers.open_reader
    monkeypatch.setattr(readers, "open_reader", lambda *place: opened.append(place) or open_reader(*place))
    monkeypatch.setattr(writer, "LEND_S", 20.0)  # on a busy machine no commit is quick

    @registry.step
    def double(number: int) -> int:
        return 2 * number

    @registry.workflow
    def main() -> int:
        return double(21)

    with litewf.Engine(path, registry=registry) as engine, ThreadPoolExecutor(1) as aside:
        assert aside.submit(engine.start_workflow(main).get_result).result() == 42
        engine.wait_until_idle()
        assert not opened
        assert engine.list_workflows()
        assert len(opened) == 1  # a listing may take long: it must not hold up a commit


def test_a_look_does_not_wait_for_a_long_transaction(path: Path, registry: litewf.Registry) -> None:
    begun, over = threading.Event(), threading.Event()

    @registry.workflow
    def main() -> None:
        litewf.recv()

    def long(_connection: object) -> None:
        begun.set()
        assert over.wait(20)

    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(main)
        thread = threading.Thread(target=engine.transact, args=(long,))
        thread.start()
        try:
            assert begun.wait(20)
            with pytest.raises(litewf.WaitTimeoutError):
                handle.get_result(timeout=0)
        finally:
            over.set()
            thread.join()


def test_a_look_that_finds_nothing_to_claim_commits_nothing(path: Path, registry: litewf.Registry) -> None:
    with MortalEngine(path, registry=registry):
        pass
    points: list[str] = []
    with MortalEngine(path, registry=registry, clock=VirtualClock(mode="driven"), watch=points.append) as engine:
        engine.drain()
        assert points == ["commit.before", "commit.after"]  # that it is there

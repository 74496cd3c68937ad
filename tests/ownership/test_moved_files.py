"""Files that are moved, replaced or deleted under a living engine: it stops, says so, and writes nothing more."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import litewf


def after(harm: Callable[[Path], None], path: Path, handle: litewf.WorkflowHandle[None]) -> litewf.LitewfError:
    """What a caller gets who is waiting when it happens."""
    caught: list[litewf.LitewfError] = []

    def wait() -> None:
        try:
            handle.get_result(timeout=20)
        except litewf.LitewfError as error:
            caught.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    harm(path)
    waiting.join(20)
    return caught[0]


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    copy.replace(path)


def delete_wal(path: Path) -> None:
    path.with_name(path.name + "-wal").unlink()


def delete_shm(path: Path) -> None:
    path.with_name(path.name + "-shm").unlink()


def delete_everything(path: Path) -> None:
    for file in list(path.parent.iterdir()):
        file.unlink(missing_ok=True)  # the engine may have noticed, and be tidying up


@pytest.mark.parametrize("harm", [move, delete, replace, delete_wal, delete_shm, delete_everything])
def test_an_engine_whose_file_is_gone_stops_and_says_so(
    path: Path, registry: litewf.Registry, harm: Callable[[Path], None]
) -> None:
    @registry.workflow
    async def asleep() -> None:
        await litewf.sleep_async(3600)

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    error = after(harm, path, engine.start_workflow(asleep))
    assert isinstance(error, litewf.StoreMovedError)
    assert "nothing more is written" in str(error)
    with pytest.raises(litewf.StoreMovedError):
        engine.start_workflow(asleep)
    with pytest.raises(litewf.StoreMovedError):
        engine.list_workflows()
    engine.shutdown(timeout=1)


def test_the_replacement_is_not_written_to(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    async def asleep() -> None:
        await litewf.sleep_async(3600)

    with litewf.Engine(path, registry=registry):
        pass
    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    copies: list[bytes] = []

    def replace_and_remember(path: Path) -> None:
        replace(path)
        copies.append(path.read_bytes())

    after(replace_and_remember, path, engine.start_workflow(asleep))
    engine.shutdown(timeout=1)
    assert [path.read_bytes()] == copies


def test_an_engine_can_be_launched_again_on_what_is_there_now(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    async def hello() -> str:
        await litewf.sleep_async(0.01)
        return "hello"

    @registry.workflow
    async def asleep() -> None:
        await litewf.sleep_async(3600)

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    after(delete_everything, path, engine.start_workflow(asleep))
    engine.shutdown(timeout=1)
    with engine:
        assert engine.run_workflow(hello) == "hello"


def test_a_file_that_was_moved_while_no_engine_ran_goes_on_under_its_new_name(
    path: Path, registry: litewf.Registry
) -> None:
    @registry.workflow
    def asleep() -> str:
        litewf.sleep(0.05)
        return "awake"

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(asleep)
    moved = path.with_name("moved.db")
    path.rename(moved)
    with litewf.Engine(moved, registry=registry) as engine:
        assert engine.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == "awake"

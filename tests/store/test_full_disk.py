"""No room: writes are refused in clear words, reading goes on, and everything continues when there is room again."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from disk import FULL, Disk
from notes import OpenStore, notes, write

import litewf
from litewf.store.store import Store


@pytest.fixture
def store(disk: Disk, open_store: OpenStore) -> Store:
    store = open_store()
    write(store, "before")
    return store


def test_a_write_without_room_is_refused_and_leaves_nothing(store: Store, disk: Disk) -> None:
    """A5: what failed for certain has left no trace."""
    disk.fill()
    with pytest.raises(litewf.StoreFullError, match=r"free some disk space, and litewf goes on by itself"):
        write(store, "refused")
    disk.heal()
    assert notes(store) == {"before"}


def test_reading_goes_on_without_room(store: Store, disk: Disk) -> None:
    disk.fill()
    for _ in range(3):
        with pytest.raises(litewf.StoreFullError):
            write(store, "refused")
        assert notes(store) == {"before"}


def test_writing_goes_on_by_itself_when_there_is_room(store: Store, disk: Disk) -> None:
    disk.fill()
    with pytest.raises(litewf.StoreFullError):
        write(store, "refused")
    disk.heal()
    write(store, "after")
    assert notes(store) == {"before", "after"}


def test_a_full_disk_does_not_make_the_file_be_opened_again(store: Store, disk: Disk) -> None:
    disk.fill()
    with pytest.raises(litewf.StoreFullError):
        write(store, "refused")
    disk.heal()
    disk.trace.clear()
    write(store, "after")
    assert ("open", "db") not in disk.trace


def failure(code: int) -> apsw.Error:
    error = apsw.exception_for(code)
    assert isinstance(error, apsw.Error)
    return error


def test_a_quota_that_shows_as_an_io_error_is_a_full_disk_too(
    store: Store, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    class OverQuota(apsw.Connection):
        system_errno = errno.EDQUOT

    from litewf.store.database import translate, unknown_outcome

    connection = OverQuota(":memory:")
    error = failure(apsw.SQLITE_IOERR_WRITE)
    assert isinstance(translate(error, Path("x"), "write", connection), litewf.StoreFullError)
    assert not unknown_outcome(error, connection)
    connection.close()


def test_a_sync_without_room_has_an_unknown_outcome() -> None:
    import errno

    from litewf.store.database import unknown_outcome

    class NoRoom(apsw.Connection):
        system_errno = errno.ENOSPC

    connection = NoRoom(":memory:")
    assert unknown_outcome(failure(apsw.SQLITE_IOERR_FSYNC), connection)
    connection.close()


def test_a_checkpoint_without_room_loses_nothing(store: Store, disk: Disk, path: Path) -> None:
    for at in range(20):
        write(store, str(at))
    disk.rule = lambda operation, kind: FULL if (operation, kind) == ("write", "db") else None
    store.close(5)
    disk.heal()
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT count(*) FROM note").get == 21
    connection.close()


# --- with an engine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_no_outcome_of_a_step_is_lost_or_doubled_while_the_disk_is_full(
    path: Path, disk: Disk, registry: litewf.Registry, kind: str
) -> None:
    bodies: list[int] = []
    refused = threading.Event()

    def body(number: int) -> int:
        bodies.append(number)
        if number == 2:
            disk.fill()
            threading.Thread(target=make_room).start()
        return number

    def make_room() -> None:
        assert refused.wait(20)
        disk.heal()

    disk.rule = None
    original = disk.meet

    def meet(operation: str, kind: str) -> None:
        try:
            original(operation, kind)
        except apsw.FullError:
            refused.set()
            raise

    disk.meet = meet  # type: ignore[method-assign]  # to hear of the first refusal

    if kind == "sync":
        step = registry.step(body)

        @registry.workflow
        def flow() -> int:
            return sum(step(number) for number in (1, 2, 3))
    else:

        @registry.step
        async def async_step(number: int) -> int:
            return body(number)

        @registry.workflow
        async def flow() -> int:
            return sum([await async_step(number) for number in (1, 2, 3)])

    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(flow)
        assert handle.get_result(timeout=20) == 6
        assert [step.output for step in engine.list_steps(handle.workflow_id)] == [1, 2, 3]
    assert bodies == [1, 2, 3]


def test_an_attempt_that_failed_while_the_disk_was_full_is_counted_once(
    path: Path, disk: Disk, registry: litewf.Registry
) -> None:
    attempts: list[int] = []

    @registry.step(max_retries=2, base_interval=0.001)
    def flaky() -> None:
        attempts.append(litewf.attempt())
        disk.fail("write", "-wal", FULL, times=2)
        raise ValueError(len(attempts))

    @registry.workflow
    def flow() -> None:
        flaky()

    with litewf.Engine(path, registry=registry) as engine:
        with pytest.raises(litewf.StepRetriesExceededError) as caught:
            engine.run_workflow(flow)
        assert [error.args for error in caught.value.errors] == [(1,), (2,), (3,)]
    assert attempts == [1, 2, 3]


def test_a_start_without_room_is_refused_and_can_be_repeated(path: Path, disk: Disk, registry: litewf.Registry) -> None:
    runs: list[None] = []

    @registry.workflow
    def flow() -> None:
        runs.append(None)

    with litewf.Engine(path, registry=registry) as engine:
        disk.fill()
        for _ in range(3):
            with pytest.raises(litewf.StoreFullError):
                engine.start_workflow(flow.with_options(workflow_id="one"))
        assert engine.list_workflows() == []
        disk.heal()
        engine.start_workflow(flow.with_options(workflow_id="one")).get_result(timeout=20)
    assert runs == [None]


def test_stranded_after_a_transient_error__what_came_due_while_the_disk_was_full_goes_on_afterwards(
    path: Path, disk: Disk, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    slept = threading.Event()
    refused = threading.Event()

    @registry.workflow
    async def sleeper() -> str:
        await litewf.sleep_async(1)  # long enough to be seen parked on a busy machine
        slept.set()
        return "awake"

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(sleeper)
        while not handle.get_status().waiting_on:
            assert not slept.is_set()
        disk.rule = lambda operation, _kind: (refused.set(), FULL)[1] if operation == "write" else None  # type: ignore[func-returns-value]
        assert refused.wait(20)
        disk.heal()
        assert handle.get_result(timeout=20) == "awake"
    assert sum("could not dispatch" in record.message for record in caplog.records) <= 2


def test_ending_a_workflow_waits_for_room(path: Path, disk: Disk, registry: litewf.Registry) -> None:
    runs: list[None] = []

    @registry.workflow
    async def flow() -> str:
        runs.append(None)
        disk.fail("write", "-wal", FULL, times=3)
        return "done"

    async def main() -> str:
        async with litewf.Engine(path, registry=registry) as engine:
            handle = await engine.start_workflow_async(flow)
            return await handle.get_result_async(timeout=20)

    assert asyncio.run(main()) == "done"
    assert runs == [None]


def test_an_engine_on_a_full_disk_shuts_down_in_time_and_the_next_one_goes_on(
    path: Path, disk: Disk, registry: litewf.Registry
) -> None:
    reached = threading.Event()

    @registry.step
    def step() -> int:
        disk.fill()
        reached.set()
        return 1

    @registry.workflow
    def flow() -> int:
        return step()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    handle = engine.start_workflow(flow)
    assert reached.wait(20)
    engine.shutdown(timeout=0.3)
    disk.heal()
    with litewf.Engine(path, registry=registry) as again:
        disk.rule = None
        result = threading.Event()
        again.retrieve_workflow(handle.workflow_id).add_done_callback(lambda _: result.set())
        while not result.wait(0.05):
            disk.heal()  # the step fills the disk again
        assert again.retrieve_workflow(handle.workflow_id).get_result() == 1


def fill(engine: litewf.Engine, size: int) -> None:
    while True:
        engine.transact(lambda connection: connection.execute("INSERT INTO fill VALUES (zeroblob(?))", (size,)))


# --- a real small disk --------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only a privileged user may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_real_disk_that_fills_up_is_survived(small_disk: Path, registry: litewf.Registry) -> None:
    bodies: list[int] = []
    half_way, full = threading.Event(), threading.Event()

    @registry.step
    def large(number: int) -> str:
        bodies.append(number)
        if number == 5:
            half_way.set()
            assert full.wait(20)
        return "x" * 3_000

    @registry.workflow
    def flow(count: int) -> int:
        return sum(len(large(number)) for number in range(count))

    ballast = small_disk / "ballast"
    ballast.write_bytes(b"0" * 400_000)
    with litewf.Engine(small_disk / "flows.db", registry=registry) as engine:
        handle = engine.start_workflow(flow, 20)
        assert half_way.wait(20)
        engine.transact(lambda connection: connection.execute("CREATE TABLE fill (x)"))
        for size in (50_000, 1):
            with pytest.raises(litewf.StoreFullError):
                fill(engine, size)
        full.set()
        with pytest.raises(litewf.StoreFullError):
            engine.start_workflow(flow, 1)
        assert handle.get_status().status == "PENDING"
        ballast.unlink()
        assert handle.get_result(timeout=20) == 60_000
    assert bodies == list(range(20))

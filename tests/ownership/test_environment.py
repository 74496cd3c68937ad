"""Processes that are not as they should be: no standard streams, few descriptors, other modes of the interpreter."""

import os
import resource
from pathlib import Path

import pytest
from children import Spawn

import litewf

HELLO = """
registry = litewf.Registry()

@registry.step
def double(number: int) -> int:
    return 2 * number

@registry.workflow
def hello() -> int:
    litewf.sleep(0.001)
    return double(2)

def run():
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        return engine.run_workflow(hello)
"""


@pytest.mark.parametrize("options", [("-O",), ("-OO",), ("-X", "dev"), ("-W", "error")])
def test_it_works_in_every_mode_of_the_interpreter(spawn: Spawn, options: tuple[str, ...]) -> None:
    child = spawn(HELLO + "say(run())", options)
    status, output, errors = child.end()
    assert (status, output) == (0, "4\n"), errors
    assert errors == ""


def test_its_own_lock_files_never_take_the_place_of_standard_streams(spawn: Spawn, path: Path) -> None:
    """A program that turns into a daemon closes descriptors 0 to 2, or puts others in their place."""
    child = spawn(
        HELLO + "out = os.dup(1)\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "with litewf.Engine(path, registry=registry, linger=0) as engine:\n"
        "    first = engine.run_workflow(hello)\n"
        "    ours = [os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2) if os.path.exists(f'/proc/self/fd/{fd}')]\n"
        "    null = os.open('/dev/null', os.O_RDWR)\n"
        "    for fd in (0, 1, 2): os.dup2(null, fd)\n"
        "    second = engine.run_workflow(hello)\n"
        "os.write(out, f'{first} {second} {[name for name in ours if path in name]}'.encode())\n"
    )
    status, output, _ = child.end()
    assert (status, output) == (0, "4 4 []")


def descriptors() -> set[int]:
    """The open ones, without the one that looks at them."""
    found = {int(file.name) for file in Path("/proc/self/fd").iterdir()}
    return {fd for fd in found if Path(f"/proc/self/fd/{fd}").exists()}


@pytest.mark.parametrize("free", range(12))
def test_too_few_descriptors_at_launch_are_a_clear_error_and_leave_nothing_behind(
    path: Path, registry: litewf.Registry, free: int
) -> None:
    with litewf.Engine(path.with_name("warm.db"), registry=registry):
        pass  # what is imported lazily is there now
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(before) + 1
    fillers = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
    try:
        while True:
            try:
                fillers.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                break
        for _ in range(free):
            os.close(fillers.pop())
        engine = litewf.Engine(path, registry=registry)
        try:
            engine.launch()
        except litewf.StoreError as error:
            assert str(path) in str(error)
            launched = False
        else:
            launched = True
            engine.shutdown(timeout=1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)
    assert launched is (free >= 8) or free in range(4, 8)
    assert descriptors() == before
    assert not [file for file in path.parent.iterdir() if "-lock-" in file.name]
    with engine:
        assert engine.list_workflows() == []


def test_a_umask_that_forbids_everything_is_survived(spawn: Spawn) -> None:
    child = spawn(HELLO + "os.umask(0o777)\nsay(run())\nos.umask(0o022)\nsay(run())")
    status, output, errors = child.end()
    assert (status, output) == (0, "4\n4\n"), errors


def test_no_home_and_a_plain_locale_are_survived(path: Path, monkeypatch: pytest.MonkeyPatch, spawn: Spawn) -> None:
    del path
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("LC_ALL", "C")
    status, output, errors = spawn(HELLO + "say(run())").end()
    assert (status, output) == (0, "4\n"), errors


def test_signals_that_come_all_the_time_are_survived(spawn: Spawn) -> None:
    child = spawn(
        HELLO + "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "with litewf.Engine(path, registry=registry, linger=0) as engine:\n"
        "    say(sum(engine.run_workflow(hello) for _ in range(30)))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    status, output, errors = child.end()
    assert (status, output) == (0, "120\n"), errors


@pytest.mark.parametrize(
    "name", ["with ? and #.db", "100%.db", "ünïcode ✓.db", "-dash.db", "a" * 200, "quote'\".db", "new\nline.db"]
)
def test_odd_names_of_files_are_just_names(tmp_path: Path, registry: litewf.Registry, name: str) -> None:
    @registry.workflow
    def hello() -> str:
        litewf.sleep(0.001)
        return "hello"

    with litewf.Engine(tmp_path / name, registry=registry, linger=0) as engine:
        assert engine.run_workflow(hello) == "hello"
    assert {file.name for file in tmp_path.iterdir()} == {name, f"{name}-next", f"{name}-turn"}


def test_a_relative_path_stays_where_it_was_when_the_working_directory_changes(
    tmp_path: Path, registry: litewf.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    @registry.workflow
    def hello() -> str:
        litewf.sleep(0.001)
        return "hello"

    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with litewf.Engine("flows.db", registry=registry, linger=0) as engine:
        os.chdir(elsewhere)
        assert [engine.run_workflow(hello) for _ in range(3)] == ["hello"] * 3
        engine.transact(lambda connection: connection.execute("CREATE TABLE mine (x)"))
    assert list(elsewhere.iterdir()) == []

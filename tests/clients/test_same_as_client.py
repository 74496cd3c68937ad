"""AsyncClient is Client: the same names, parameters and words, and the same call has the same answer and effect."""

import asyncio
import inspect
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

import litewf
from tests.clients.both import Script, awaiting, outcome, passing, run_blocking
from tests.clients.calls import Program, StillClock, build, calls, program

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CALLS = calls(program(), Path())


def public_methods(cls: type) -> dict[str, Callable[..., Any]]:
    methods = {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")}
    return {name: method for name, method in methods.items() if callable(method) and not name.endswith("_async")}


METHODS = [
    pytest.param(ours, theirs, name, id=f"{theirs.__name__}.{name}")
    for ours, theirs in ((litewf.AsyncClient, litewf.Client), (litewf.AsyncWorkflowHandle, litewf.WorkflowHandle))
    for name in (*public_methods(theirs), "__init__")
    if (theirs, name) != (litewf.WorkflowHandle, "__init__")
]


@pytest.mark.parametrize(("ours", "theirs", "name"), METHODS)
def test_a_method_has_the_same_name_and_parameters(ours: type, theirs: type, name: str) -> None:
    mine, other = (list(inspect.signature(getattr(cls, name)).parameters.values())[1:] for cls in (ours, theirs))
    assert [(one.name, one.kind, one.default) for one in mine] == [(one.name, one.kind, one.default) for one in other]
    if name != "add_done_callback":  # it is called with the handle
        assert [one.annotation for one in mine] == [one.annotation for one in other]


@pytest.mark.parametrize(("ours", "theirs", "name"), METHODS)
def test_a_method_that_touches_the_file_is_to_be_awaited(ours: type, theirs: type, name: str) -> None:
    method = getattr(ours, name)
    if name in ("add_done_callback", "as_future", "__init__", "workflow_id"):
        assert not inspect.iscoroutinefunction(method)
    elif name.startswith("read_stream"):
        assert inspect.isasyncgenfunction(method)
    else:
        assert inspect.iscoroutinefunction(method)


def test_there_is_no_method_more() -> None:
    assert set(public_methods(litewf.AsyncClient)) == set(public_methods(litewf.Client))
    assert set(public_methods(litewf.AsyncWorkflowHandle)) == set(public_methods(litewf.WorkflowHandle))


def test_a_client_offers_everything_of_an_engine_but_running_code() -> None:
    assert set(public_methods(litewf.Engine)) - set(public_methods(litewf.Client)) == {
        "launch", "shutdown", "wait_until_idle",
    }  # fmt: skip


def test_every_method_says_what_it_does() -> None:
    for name, method in public_methods(litewf.AsyncClient).items():
        assert method.__doc__, name
        assert "_async" not in method.__doc__, name
        assert method.__name__ == name


def test_help_and_errors_know_methods_by_their_names_and_what_they_give() -> None:
    for cls in (litewf.Engine, litewf.Client, litewf.AsyncClient):
        for name, method in inspect.getmembers(cls, callable):
            if not name.startswith("_"):
                assert (method.__name__, method.__qualname__.rpartition(".")[2]) == (name, name)
                assert "Action" not in str(inspect.signature(method)), name
    with pytest.raises(TypeError, match=r"WorkflowOperations\.cancel_workflow\(\) missing 1 required"):
        litewf.Client.cancel_workflow(SimpleNamespace(_running=lambda: None))  # type: ignore[call-arg, misc]  # wrong on purpose


def test_every_method_is_called() -> None:
    called = {name.partition(" ")[0] for name in CALLS}
    assert {name for name in called if "." not in name} == set(public_methods(litewf.Client)) - {"close"}
    on_handles = {name.partition(".")[2] for name in called if "." in name}
    assert on_handles == set(public_methods(litewf.WorkflowHandle)) - {"add_done_callback", "as_future"}


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seed") / "flows.db"
    build(path)
    return path


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    connection = apsw.Connection(str(path))
    try:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}
    finally:
        connection.close()


def alike(answer: Any, folder: Path) -> str:
    """An answer as text, with neither generated ids nor the folder that it was given in."""
    return UUID.sub("<id>", repr(answer)).replace(str(folder), "<folder>").replace("AsyncClient", "Client")


def by_client(path: Path, code: Program, script: Script) -> Any:
    with litewf.Client(path, registry=code.registry, clock=StillClock(), durability="normal") as client:
        return run_blocking(lambda client, ask: outcome(script, client, passing), client)


def by_async_client(path: Path, code: Program, script: Script) -> Any:
    async def main() -> Any:
        async with litewf.AsyncClient(path, registry=code.registry, clock=StillClock(), durability="normal") as client:
            return await outcome(script, client, awaiting)

    return asyncio.run(main())


@pytest.mark.parametrize("name", CALLS)
def test_the_same_call_has_the_same_answer_and_leaves_the_same_file(name: str, seed: Path, tmp_path: Path) -> None:
    seen = []
    for kind in (by_client, by_async_client):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        path = folder / "flows.db"
        shutil.copy(seed, path)
        code = program()
        answer = kind(path, code, calls(code, folder)[name])
        seen.append((alike(answer, folder), alike(contents(path), folder)))
    assert seen[1][0] == seen[0][0]
    assert seen[1][1] == seen[0][1]

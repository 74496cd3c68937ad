"""The 1st, the 2nd, the 3rd … operation of a whole engine on its files fails; the engine after it goes on as if not."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

import litewf
from litewf.testing.disk import ERRORS, Fault, fail_everywhere, watched
from litewf.testing.mortal import silence
from litewf.world import World
from tests.crash.explorer import workplace
from tests.crash.invariants import Image

PATIENCE_S = 5
SHORT_S = 0.1  # with a disk that stays broken
EACH = ("open", "read", "write", "sync", "truncate")
OF_ITS_OWN = (litewf.LitewfError, TimeoutError)


@pytest.fixture
def path() -> Iterator[Path]:
    with workplace() as folder, silence():
        yield folder / "flows.db"


class Trial:
    """A workflow of two steps that counts what it does."""

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._registry = litewf.Registry()
        self.returned: set[str] = set()  # steps whose outcome the workflow has seen
        self.again: list[str] = []  # of them, those whose bodies ran all the same

        @self._registry.step
        def double(name: str, x: int) -> int:
            if name in self.returned:
                self.again.append(name)
            return 2 * x

        @self._registry.workflow
        def quadruple(x: int) -> int:
            once = double("first", x)
            self.returned.add("first")
            twice = double("second", once)
            self.returned.add("second")
            return twice

        self._workflow = quadruple.with_options(workflow_id="w")

    def fail(self, vfs: str, fault: Fault) -> bool:
        """Run it on a disk that fails; whether it said that it is done. Then the process ends."""
        engine = litewf.Engine(self._path, registry=self._registry, application_version="1", world=World(vfs=vfs))
        try:
            with suppress(*OF_ITS_OWN):
                engine.launch()
                return engine.start_workflow(self._workflow, 3).get_result(timeout=self._patience_s) == 12
            return False
        finally:
            fault.heal()
            with suppress(litewf.EngineClosedError):
                engine.shutdown(timeout=1)

    def recover(self, *, done: bool) -> None:
        """The next process, on a disk that works."""
        with litewf.Engine(self._path, registry=self._registry, application_version="1") as engine:
            if done:
                assert engine.retrieve_workflow("w").get_status().status == "SUCCESS"
            assert engine.start_workflow(self._workflow, 3).get_result(timeout=20) == 12
        assert self.again == []
        image = Image.of(self._path)
        assert list(image.broken(at_the_end=True)) == []
        image.close()


def _fail_and_recover(
    path: Path, error: str, *, lasting: bool, stride: int = 1, operations: Collection[str] = EACH
) -> int:
    def run(vfs: str, fault: Fault) -> None:
        for beside in path.parent.iterdir():
            beside.unlink()
        trial = Trial(path, patience_s=SHORT_S if lasting else PATIENCE_S)
        done = trial.fail(vfs, fault)
        trial.recover(done=done)

    return fail_everywhere(path, run, error, lasting=lasting, stride=stride, operations=operations, expected=())


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_engine_survives_a_disk_that_fails_now_and_then(path: Path, error: str, lasting: bool) -> None:
    assert _fail_and_recover(path, error, lasting=lasting, stride=23) > 3


def test_an_engine_whose_launch_may_have_been_written_is_taken_for_dead_at_once(path: Path) -> None:
    """Its row was there, its lock file was not: for three seconds, nobody took anything back."""
    assert _fail_and_recover(path, "I/O error", lasting=False, operations=["sync"]) > 5


@pytest.mark.nightly
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_engine_survives_a_disk_that_fails_at_any_operation(path: Path, error: str, lasting: bool) -> None:
    assert _fail_and_recover(path, error, lasting=lasting) > 80


def test_only_the_operations_that_are_named_fail(path: Path) -> None:
    fault = Fault("full", 2, operations=["write"], files=["-wal"], lasting=True)
    with watched(path, fault) as vfs:
        connection = apsw.Connection(str(path), vfs=vfs)
        connection.pragma("journal_mode", "wal")
        with pytest.raises(apsw.FullError):
            connection.execute("CREATE TABLE note (text)")
        assert fault.struck > 0
        fault.heal()
        connection.execute("CREATE TABLE note (text)")
        connection.close()


def test_a_fault_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="fails with one of"):
        Fault("tired")
    with pytest.raises(ValueError, match="operations are some of"):
        Fault(operations=["reading"])

"""What every test may ask for: a registry of its own, a path for a file, an engine on it."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import litewf

pytest_plugins = ("tests.crash.counting",)
THOUSANDS_OF_ENGINES = {"crash", "disk", "machine"}
SEVERAL_PROCESSES = {"cli", "clients", "docs", "fuzz", "ownership", "store", "store_files", "web"}


def pytest_configure() -> None:
    """SQLite counts its memory under one lock for all threads, and nobody asks for the figures."""
    if not apsw.connections():
        apsw.shutdown()
        apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
        apsw.initialize()


def pytest_collection_finish() -> None:
    """Thousands of tests are there to stay: the garbage collector need not visit them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def on_one_core(request: pytest.FixtureRequest) -> Iterator[None]:
    """Beside other workers, tests of one process keep to one core: threads that hand work over between cores spend more
    time on that than on the work."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker or not hasattr(os, "sched_setaffinity") or request.path.parent.name in SEVERAL_PROCESSES:
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[int(worker.removeprefix("gw")) % len(cores)]})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(autouse=True, scope="module")
def without_haste(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where thousands of engines are launched, threads that are woken wait until whoever wakes them gives way.

    At once, they would find what they need still locked, and go back: four of five context switches of a cycle.
    """
    if request.path.parent.name not in THOUSANDS_OF_ENGINES or not hasattr(os, "SCHED_BATCH"):
        yield
        return
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # of this thread, and those that it starts
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@pytest.fixture(autouse=True, scope="session")
def hears_interrupts() -> None:
    """A job that a shell starts in the background is born deaf to interrupts, and so are the processes that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def registry() -> litewf.Registry:
    return litewf.Registry()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


@pytest.fixture
def engine(path: Path, registry: litewf.Registry) -> Iterator[litewf.Engine]:
    with litewf.Engine(path, registry=registry) as running:
        yield running

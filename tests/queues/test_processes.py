"""G1, G2, G3, G7 with several processes that are killed and started again all the time."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import litewf
from tests.queues import program

LIMIT = 3
RATE, PERIOD_S = 40, 0.5


class Workers:
    """Engine processes, some of which die."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self.deaths: dict[int, int] = {}
        self.running = [self._spawn() for _ in range(count)]

    def _spawn(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.queues.program", str(self._path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def kill_one(self, at: int) -> None:
        """SIGKILL; another one takes its place."""
        doomed = self.running[at % len(self.running)]
        assert doomed.stdout is not None
        if doomed.stdout.readline() == "up\n":
            time.sleep(0.05)  # of work, before it dies in the middle of it
        self.deaths[doomed.pid] = time.monotonic_ns()
        doomed.kill()
        doomed.wait()
        self.close(doomed)
        self.running[at % len(self.running)] = self._spawn()

    @staticmethod
    def close(worker: subprocess.Popen[str]) -> None:
        for stream in (worker.stdin, worker.stdout):
            if stream is not None:
                stream.close()

    def end(self) -> None:
        for worker in self.running:
            worker.kill()
            worker.wait()
            self.close(worker)


def check_concurrency(lines: list[program.Line], deaths: dict[int, int]) -> None:
    """At no instant more bodies than the limit; a body ends at the latest when its process dies."""
    events: list[tuple[int, int, str]] = []
    open_bodies: dict[tuple[int, str], None] = {}
    for line in lines:
        if line.what == "begin":
            events.append((line.at_ns, 1, line.name))
            open_bodies[line.pid, line.name] = None
        elif line.what == "end":
            events.append((line.at_ns, -1, line.name))
            del open_bodies[line.pid, line.name]
    events += [(deaths[pid], -1, name) for pid, name in open_bodies]
    running = 0
    for _, change, _ in sorted(events):
        running += change
        assert running <= LIMIT


def drain(path: Path, workers: int, jobs: int, kills: int) -> None:
    ledger = path.with_name("ledger")
    names = [f"job-{number}" for number in range(jobs)]
    with litewf.Engine(
        path, registry=program.registry, queues=[], application_version="1", durability="normal"
    ) as engine:
        engine.create_queue("all", global_concurrency=LIMIT)
        engine.create_queue("rated", rate_limit=litewf.RateLimit(RATE, PERIOD_S))
        rated = [f"rated-{number}" for number in range(min(jobs // 5, 200))]
        for queue, ids in (("all", names), ("rated", rated)):
            engine.enqueue_many(queue, [(program.job.with_options(workflow_id=name), str(ledger)) for name in ids])
        _work(engine, Workers(path, workers), kills)
        assert engine.query("SELECT count(*) FROM task WHERE slot = 1") == [(0,)]
        statuses = Counter(status.status for status in engine.list_workflows(load_input=False))
        assert statuses == {"SUCCESS": len(names) + len(rated)}
        starts = engine.query("SELECT started_us FROM workflow WHERE id LIKE 'rated-%' ORDER BY started_us")
        for (earlier,), (later,) in zip(starts, starts[RATE:], strict=False):
            assert later - earlier >= PERIOD_S * 1_000_000, "more starts in a window than the rate limit allows"


def _work(engine: litewf.Engine, workers: Workers, kills: int) -> None:
    dice = random.Random(4)
    try:
        for _ in range(kills):
            workers.kill_one(dice.randrange(100))
        handles = [engine.retrieve_workflow(one.workflow_id) for one in engine.list_workflows(load_input=False)]
        for handle in handles:
            handle.get_result(timeout=600)
        lines = program.read(workers._path.with_name("ledger"))
        check_concurrency([line for line in lines if line.name.startswith("job-")], workers.deaths)
        ends = Counter(line.name for line in lines if line.what == "end")
        again = sum(count - 1 for count in ends.values())
        assert again <= kills * (LIMIT + RATE), f"{again} bodies ran again after {kills} deaths"
    finally:
        workers.end()


def test_limits_hold_while_processes_are_killed(path: Path) -> None:
    drain(path, workers=2, jobs=400, kills=4)


@pytest.mark.nightly
def test_limits_hold_over_ten_thousand_workflows_in_four_processes(path: Path) -> None:
    drain(path, workers=4, jobs=10_000, kills=60)

"""The stage of these tests."""

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf
from tests.stage import PATIENCE_S, Stage


@pytest.fixture
def stage(path: Path, registry: litewf.Registry) -> Iterator[Stage]:
    faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # a clock that stands still ends no wait
    yield Stage(path, registry)
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def shop(stage: Stage):
    """An engine on a file with a table of the user's."""
    with stage.engine() as engine:
        engine.transact(lambda conn: conn.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, left INTEGER)").fetchall())
        engine.transact(lambda conn: conn.execute("INSERT INTO stock VALUES ('tea', 10)").fetchall())
        yield engine


@pytest.fixture
def take(registry):
    runs = []

    @registry.transaction
    def take(conn, count):
        runs.append(count)
        conn.execute("UPDATE stock SET left = left - ? WHERE sku = 'tea'", (count,))
        [[left]] = conn.execute("SELECT left FROM stock WHERE sku = 'tea'")
        if left < 0:
            raise ValueError("sold out")
        return left

    take.runs = runs
    return take

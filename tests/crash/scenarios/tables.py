"""Transactions on the user's own tables."""

import contextlib
from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import scenario


def _create(conn: litewf.Connection) -> None:
    conn.execute("CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL) STRICT")
    conn.execute("INSERT INTO account VALUES ('a', 0) ON CONFLICT DO NOTHING")


def _banker(life: Life, engine: litewf.Engine, workflow: Any) -> None:
    life.ledger.acknowledge("table", lambda: engine.transact(_create))
    handle = life.start(workflow, "w")
    life.settle()
    assert handle.get_result(timeout=0) == [1, 3]
    assert engine.query("SELECT balance FROM account") == [(3,)], "B11 the effect was not exactly once"


@scenario()
def transactions_take_effect_once(life: Life) -> Drive:
    @life.transaction
    def deposit(conn: litewf.Connection, amount: int) -> Any:
        conn.execute("UPDATE account SET balance = balance + ?", (amount,))
        return next(iter(conn.execute("SELECT balance FROM account")))[0]

    @life.transaction
    def refuse(conn: litewf.Connection) -> None:
        conn.execute("UPDATE account SET balance = 999")
        raise ValueError("refused")

    @life.workflow
    def main() -> list[int]:
        first = deposit(1)
        with contextlib.suppress(ValueError):
            refuse()
        return [first, deposit(2)]

    return lambda engine: _banker(life, engine, main)


@scenario(linger=0)
def async_transactions_take_effect_once(life: Life) -> Drive:
    @life.transaction
    def deposit(conn: litewf.Connection, amount: int) -> Any:
        conn.execute("UPDATE account SET balance = balance + ?", (amount,))
        return next(iter(conn.execute("SELECT balance FROM account")))[0]

    @life.workflow
    async def main() -> list[int]:
        first = await deposit.run_async(1)
        await litewf.sleep_async(60)
        return [first, await deposit.run_async(2)]

    return lambda engine: _banker(life, engine, main)

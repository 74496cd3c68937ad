"""What a transaction may not do, and what a query may not do."""

import contextlib
import logging

import apsw
import pytest

import litewf
from tests.stage import Stage


def stock(engine):
    return engine.query("SELECT left FROM stock WHERE sku = 'tea'")[0][0]


REFUSED = [
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "ATTACH 'other.db' AS other",
    "DETACH main",
    "PRAGMA synchronous = 0",
    "PRAGMA user_version",
    "UPDATE workflow SET status = 'SUCCESS'",
    "DELETE FROM step",
    "DELETE FROM STEP",
    "INSERT INTO store VALUES (2, 'x', 0)",
    "DROP TABLE executor",
    "ALTER TABLE wait RENAME TO waits",
    "ALTER TABLE request ADD COLUMN x",
    "CREATE INDEX mine ON workflow (name)",
    "DROP INDEX workflow_ready",
    "CREATE TRIGGER mine AFTER INSERT ON workflow BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER mine AFTER INSERT ON main.workflow BEGIN SELECT 1; END",
    "CREATE TEMP TABLE workflow (key INTEGER PRIMARY KEY)",
    "CREATE TEMP VIEW step AS SELECT 1",
    "CREATE TEMP TABLE Outcome (a)",
    "DROP TRIGGER task_ends",
    "DROP VIEW workflow_view",
    "CREATE TEMP VIEW workflow_view AS SELECT 1",
    "CREATE TRIGGER mine INSTEAD OF INSERT ON workflow_view BEGIN SELECT 1; END",
    "ALTER TABLE workflow_view RENAME TO mine",
    "VACUUM",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_the_users_to_do_is_refused(shop, sql):
    def wrong(conn):
        conn.execute("UPDATE stock SET left = 0")
        conn.execute(sql).fetchall()

    with pytest.raises((litewf.UsageError, apsw.SQLError)):
        shop.transact(wrong)
    assert stock(shop) == 10


def test_a_refusal_inside_a_workflow_is_its_error_and_harms_nobody(shop, registry, take):
    @registry.transaction
    def wrong(conn):
        conn.execute("COMMIT")

    @registry.workflow
    def workflow():
        wrong()

    with pytest.raises(litewf.UsageError, match="COMMIT"):
        shop.run_workflow(workflow)

    @registry.workflow
    def buy():
        return take(1)

    assert shop.run_workflow(buy) == 9


def test_a_trigger_of_the_user_cannot_change_litewfs_tables(shop):
    def prepare(conn):
        conn.execute("CREATE TRIGGER sly AFTER UPDATE ON stock BEGIN DELETE FROM workflow; END")
        conn.execute("UPDATE stock SET left = 0")

    with pytest.raises(litewf.UsageError, match="workflow"):
        shop.transact(prepare)
    assert stock(shop) == 10


def test_every_view_and_trigger_of_litewf_is_protected(shop):
    """Also those that a later migration adds."""
    names = shop.query("SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger') AND name <> 'mine'")
    assert len(names) > 10
    for kind, name in names:
        with pytest.raises(litewf.UsageError, match="litewf's"):
            shop.transact(lambda conn, sql=f"DROP {kind} {name}": list(conn.execute(sql)))


UNDOING = {
    "insert": "INSERT OR ROLLBACK INTO stock VALUES ('tea', 1)",
    "update": "UPDATE OR ROLLBACK stock SET sku = 'tea' WHERE sku = 'rice'",
    "table": "INSERT INTO strict VALUES (1)",
    "trigger": "INSERT INTO guarded VALUES (1)",
}


@pytest.fixture
def undoing(shop):
    """An engine with tables whose statements undo the transaction that they fail in."""

    def prepare(conn):
        conn.execute("INSERT INTO stock VALUES ('rice', 5)")
        conn.execute("CREATE TABLE strict (x UNIQUE ON CONFLICT ROLLBACK)")
        conn.execute("INSERT INTO strict VALUES (1)")
        conn.execute("CREATE TABLE guarded (x)")
        conn.execute("CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ROLLBACK, 'guarded'); END")

    shop.transact(prepare)
    return shop


def undo(conn, sql):
    """Change something, and let a statement undo it whose error is swallowed."""
    conn.execute("UPDATE stock SET left = 0")
    with contextlib.suppress(apsw.ConstraintError):
        conn.execute(sql)


@pytest.mark.parametrize("sql", UNDOING.values(), ids=UNDOING)
@pytest.mark.parametrize("then", ["returns", "goes on", "many"])
def test_nothing_happens_in_a_transaction_that_a_statement_rolled_back(undoing, sql, then):
    def body(conn):
        undo(conn, sql)
        if then == "goes on":
            conn.execute("INSERT INTO stock VALUES ('late', 1)")
        if then == "many":
            conn.executemany("INSERT INTO stock VALUES (?, 1)", [("late",), ("later",)])

    with pytest.raises(litewf.UsageError, match=r"rolled back the whole transaction.*(UNIQUE|guarded)"):
        undoing.transact(body)
    assert undoing.query("SELECT * FROM stock ORDER BY sku") == [("rice", 5), ("tea", 10)]
    undoing.transact(lambda conn: conn.execute("UPDATE stock SET left = 1"))
    assert stock(undoing) == 1


def test_the_rest_of_a_script_is_not_kept_when_its_transaction_was_rolled_back(undoing):
    def body(conn):
        script = conn.execute("SELECT 1; INSERT INTO stock VALUES ('late', 1); SELECT 2")
        undo(conn, UNDOING["insert"])
        with contextlib.suppress(apsw.ConstraintError):
            list(script)

    with pytest.raises(litewf.UsageError, match="rolled back the whole transaction"):
        undoing.transact(body)
    assert undoing.query("SELECT * FROM stock ORDER BY sku") == [("rice", 5), ("tea", 10)]


def test_a_rolled_back_transaction_of_a_workflow_is_its_error_and_leaves_nothing(undoing, registry):
    @registry.transaction
    def swallows(conn):
        undo(conn, UNDOING["insert"])

    @registry.transaction
    def fails(conn):
        conn.execute("UPDATE stock SET left = 0")
        conn.execute(UNDOING["insert"])

    @registry.workflow
    def workflow():
        said = []
        for transaction in (swallows, fails):
            try:
                transaction()
            except Exception as error:
                said.append(type(error).__name__)
        return said

    assert undoing.run_workflow(workflow.with_options(workflow_id="w")) == ["UsageError", "ConstraintError"]
    assert [step.error is not None for step in undoing.list_steps("w")] == [True, True]
    assert stock(undoing) == 10


def test_the_users_own_indexes_and_triggers_are_welcome(shop):
    def prepare(conn):
        conn.execute("CREATE TABLE log (sku TEXT)")
        conn.execute("CREATE INDEX log_sku ON log (sku)")
        conn.execute("CREATE TRIGGER logging AFTER UPDATE ON stock BEGIN INSERT INTO log VALUES (new.sku); END")
        conn.execute("UPDATE stock SET left = 1")
        conn.executemany("INSERT INTO log VALUES (?)", [("a",), ("b",)])
        return conn.changes

    shop.transact(prepare)
    assert shop.query("SELECT sku FROM log ORDER BY rowid") == [("tea",), ("a",), ("b",)]


CALLS = {
    "start_workflow": lambda engine, quick: engine.start_workflow(quick),
    "get_status": lambda engine, quick: engine.list_workflows(),
    "query": lambda engine, quick: engine.query("SELECT 1"),
    "transact": lambda engine, quick: engine.transact(print),
    "cancel": lambda engine, quick: engine.cancel_workflow("w"),
    "sleep": lambda engine, quick: litewf.sleep(1),
    "run_step": lambda engine, quick: litewf.run_step(print),
    "child": lambda engine, quick: quick(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("where", ["transaction", "transact", "another engine's transact"])
def test_calling_litewf_inside_a_transaction_raises(stage: Stage, shop, registry, call, where):
    """Instead of waiting for ever for the right to write, which the transaction holds."""

    @registry.workflow
    def quick():
        return 1

    def body(conn):
        conn.execute("UPDATE stock SET left = 0")
        call(shop, quick)

    transaction = registry.transaction(name="body")(body)

    @registry.workflow
    def workflow():
        transaction()

    with pytest.raises((litewf.UsageError, litewf.NotInWorkflowError)):
        if where == "transaction":
            shop.run_workflow(workflow)
        elif where == "transact":
            shop.transact(body)
        else:
            with stage.engine() as other:
                other.transact(body)
    assert stock(shop) == 10


def test_a_connection_is_of_no_use_after_its_transaction(shop):
    kept = []
    shop.transact(kept.append)
    with pytest.raises(litewf.UsageError, match="over"):
        kept[0].execute("SELECT 1")


def test_an_unfinished_cursor_does_not_keep_the_transaction_from_committing(shop):
    def leaves_open(conn):
        conn.executemany("INSERT INTO stock VALUES (?, 1)", [(str(number),) for number in range(500)])
        rows = conn.execute("SELECT sku FROM stock")
        changed = conn.execute("UPDATE stock SET left = 5 RETURNING sku")
        return len(next(rows)), len(next(changed))

    assert shop.transact(leaves_open) == (1, 1)
    assert shop.query("SELECT count(*) FROM stock WHERE left = 5") == [(501,)]


def test_a_long_transaction_earns_a_warning(shop, caplog):
    def slow(conn):
        import time

        until = time.monotonic() + 0.06
        while time.monotonic() < until:
            pass

    with caplog.at_level(logging.WARNING, "litewf"):
        shop.transact(lambda conn: None)
        assert caplog.records == []
        shop.transact(slow)
    assert "kept all other writers waiting" in caplog.text


NO_QUERIES = [
    "INSERT INTO stock VALUES ('rice', 1)",
    "DELETE FROM stock",
    "UPDATE workflow SET status = 'SUCCESS'",
    "CREATE TABLE t (a)",
    "CREATE TEMP TABLE t (a)",
    "DROP TABLE stock",
    "PRAGMA query_only = 0",
    "PRAGMA journal_mode = DELETE",
    "ATTACH 'other.db' AS other",
    "BEGIN",
    "VACUUM",
    "VACUUM INTO 'other.db'",
    "SELECT 1; DELETE FROM stock",
    "WITH gone AS (SELECT 1) DELETE FROM stock",
    "REINDEX",
    "ANALYZE",
]


@pytest.mark.parametrize("sql", NO_QUERIES)
def test_a_query_cannot_write(shop, sql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(litewf.UsageError, match="transact"):
        shop.query(sql)
    assert stock(shop) == 10
    assert not (tmp_path / "other.db").exists()

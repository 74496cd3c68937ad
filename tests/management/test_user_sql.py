"""The user's own tables in the same file: @transaction, transact and query."""

import asyncio
import logging
import threading

import apsw
import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def shop(stage: Stage):
    """An engine on a file with a table of the user's."""
    with stage.engine() as engine:
        engine.transact(lambda conn: conn.execute("CREATE TABLE stock (sku TEXT PRIMARY KEY, left INTEGER)").fetchall())
        engine.transact(lambda conn: conn.execute("INSERT INTO stock VALUES ('tea', 10)").fetchall())
        yield engine


def stock(engine):
    return engine.query("SELECT left FROM stock WHERE sku = 'tea'")[0][0]


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


# --- @transaction -------------------------------------------------------------------------------------------------


def test_the_effect_and_the_record_happen_once_however_often_the_workflow_is_replayed(stage: Stage, shop, registry, take):
    """B11."""

    @registry.workflow
    def buy():
        left = take(3)
        litewf.sleep(10)
        return left

    handle = shop.start_workflow(buy)
    stage.parked(handle)
    stage.clock.move(10)
    assert handle.get_result() == 7
    assert stock(shop) == 7
    assert take.runs == [3]
    [step] = [step for step in shop.list_steps(handle.workflow_id) if "take" in step.name]
    assert (step.output, step.error) == (7, None)


def test_an_error_undoes_its_sql_and_is_recorded(stage: Stage, shop, registry, take):
    @registry.workflow
    def buy():
        try:
            take(11)
        except ValueError as error:
            litewf.sleep(10)
            return str(error)

    handle = shop.start_workflow(buy)
    stage.parked(handle)
    stage.clock.move(10)
    assert handle.get_result() == "sold out"
    assert stock(shop) == 10
    assert take.runs == [11]


def test_an_error_of_sqlite_itself_is_recorded_as_its_own_type(shop, registry):
    @registry.transaction
    def twice(conn):
        conn.execute("INSERT INTO stock VALUES ('rice', 1)")
        conn.execute("INSERT INTO stock VALUES ('tea', 1)")

    @registry.workflow
    def workflow():
        try:
            twice()
        except apsw.ConstraintError as error:
            return "UNIQUE" in str(error)

    assert shop.run_workflow(workflow) is True
    assert shop.query("SELECT count(*) FROM stock") == [(1,)]


def test_a_result_that_cannot_be_recorded_undoes_the_sql(shop, registry):
    @registry.transaction
    def leaks(conn):
        conn.execute("DELETE FROM stock")
        return conn

    @registry.workflow
    def workflow():
        leaks()

    with pytest.raises(litewf.SerializationError):
        shop.run_workflow(workflow)
    assert stock(shop) == 10


def test_a_transaction_from_an_async_workflow_runs_in_a_thread(shop, registry, take):
    @registry.transaction
    def where(conn):
        return threading.current_thread().name

    @registry.workflow
    async def buy():
        return await take.run_async(4), await where.run_async(), threading.current_thread().name

    left, there, here = shop.run_workflow(buy)
    assert left == 6
    assert there != here


def test_the_blocking_form_in_an_async_workflow_is_refused(shop, registry, take):
    @registry.workflow
    async def buy():
        take(1)

    with pytest.raises(litewf.BlockingCallError, match="run_async"):
        shop.run_workflow(buy)
    assert stock(shop) == 10


def test_a_transaction_outside_a_workflow_is_refused(take):
    with pytest.raises(litewf.NotInWorkflowError, match=r"engine\.transact"):
        take(1)


def test_a_transaction_must_be_a_plain_function(registry):
    with pytest.raises(litewf.RegistrationError):

        @registry.transaction
        async def wrong(conn):
            pass

    with pytest.raises(litewf.RegistrationError):

        @registry.transaction
        @classmethod
        def wrong_too(cls, conn):
            pass


def test_a_transaction_knows_its_context(shop, registry):
    @registry.transaction
    def context(conn):
        return litewf.workflow_id(), litewf.step_id(), litewf.attempt(), litewf.cancelled()

    @registry.workflow
    def workflow():
        return context()

    assert shop.run_workflow(workflow.with_options(workflow_id="w")) == ("w", "1", 1, False)


def test_no_transaction_starts_after_a_cancel(stage: Stage, shop, registry, take):
    """C1."""
    started, go_on = threading.Event(), threading.Event()

    @registry.step
    def first():
        started.set()
        assert go_on.wait(10)

    @registry.workflow
    def buy():
        first()
        take(1)

    handle = shop.start_workflow(buy)
    assert started.wait(10)
    handle.cancel()
    go_on.set()
    stage.until(lambda: shop.query("SELECT 1 FROM workflow WHERE owner IS NULL"))
    assert take.runs == []


# --- refusals -----------------------------------------------------------------------------------------------------

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


# --- transact and query -------------------------------------------------------------------------------------------


def test_transact_returns_what_the_function_returns_and_passes_arguments(shop):
    def add(conn, sku, *, left):
        conn.execute("INSERT INTO stock VALUES (?, ?)", (sku, left))
        return conn.last_insert_rowid, conn.changes

    assert shop.transact(add, "rice", left=4) == (2, 1)
    assert shop.query("SELECT left FROM stock WHERE sku = :sku", {"sku": "rice"}) == [(4,)]


def test_an_error_in_transact_undoes_everything(shop):
    def fails(conn):
        conn.execute("DELETE FROM stock")
        raise KeyError("wrong")

    with pytest.raises(KeyError):
        shop.transact(fails)
    assert stock(shop) == 10


def test_transact_and_query_have_async_twins(path, registry):
    async def main():
        async with litewf.Engine(path, registry=registry) as engine:
            await engine.transact_async(lambda conn: list(conn.execute("CREATE TABLE t (a)")))
            await engine.transact_async(lambda conn, value: list(conn.execute("INSERT INTO t VALUES (?)", (value,))), 5)
            return await engine.query_async("SELECT a FROM t")

    assert asyncio.run(main()) == [(5,)]


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


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [("SELEC 1", ()), ("SELECT * FROM nowhere", ()), ("SELECT ?", ()), ("SELECT 1", (1, 2)), ("SELECT nothing(1)", ())],
)
def test_a_wrong_query_is_refused_and_the_next_one_works(shop, sql, parameters):
    with pytest.raises(litewf.UsageError, match="refused"):
        shop.query(sql, parameters)
    assert stock(shop) == 10


def test_a_query_inside_a_workflow_is_recorded(stage: Stage, shop, registry):
    @registry.workflow
    def workflow():
        before = shop.query("SELECT left FROM stock")
        try:
            shop.query("SELEC")
        except litewf.UsageError:
            litewf.sleep(10)
        return before

    handle = shop.start_workflow(workflow)
    stage.parked(handle)
    shop.transact(lambda conn: list(conn.execute("UPDATE stock SET left = 0")))
    stage.clock.move(10)
    assert handle.get_result() == [(10,)]


def test_a_view_of_the_file_is_open_to_queries(shop):
    columns = [row[1] for row in shop.query("PRAGMA table_info(workflow)")]
    assert {"id", "name", "status"} <= set(columns)

"""The user's own tables in the same file: @transaction, transact and query."""

import asyncio
import threading

import apsw
import pytest

import litewf
from tests.stage import Stage


def stock(engine):
    return engine.query("SELECT left FROM stock WHERE sku = 'tea'")[0][0]


# --- @transaction -------------------------------------------------------------------------------------------------


def test_the_effect_and_the_record_happen_once_however_often_the_workflow_is_replayed(
    stage: Stage, shop, registry, take
):
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

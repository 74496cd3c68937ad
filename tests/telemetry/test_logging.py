"""Log lines that say which workflow and step they are about."""

import ast
import logging

import pytest

import litewf
from tests.repo.source import modules, tree_of

FIELDS = ("workflow_id", "workflow_name", "step_id", "attempt")


class Lines(logging.Handler):
    """A handler that keeps what it would write."""

    def __init__(self, **options):
        super().__init__()
        self.lines = []
        self.addFilter(litewf.LogContext(**options))
        self.setFormatter(logging.Formatter("%(workflow_name)s %(workflow_id)s %(step_id)s %(attempt)s: %(message)s"))

    def emit(self, record):
        self.lines.append(self.format(record))


@pytest.fixture
def mine():
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)
    yield logger
    logger.setLevel(logging.NOTSET)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def test_any_logger_says_where_it_was_called(engine, registry, mine):
    handler = Lines()
    mine.addHandler(handler)

    @registry.step(name="charge", max_retries=1, base_interval=0)
    def charge():
        mine.info("charging")
        if litewf.attempt() == 1:
            raise OSError("no")

    @registry.step(name="later")
    async def later():
        mine.info("later")

    @registry.workflow(name="order")
    def order():
        mine.info("begins")
        charge()
        litewf.run_step(later)

    mine.info("outside")
    engine.start_workflow(order.with_options(workflow_id="w")).get_result()
    assert handler.lines == [
        "None None None None: outside",
        "order w None None: begins",
        "order w 1 1: charging",
        "order w 1 2: charging",
        "order w 2 1: later",
    ]


def test_a_replay_is_silent_where_that_is_asked_for(stage, registry, mine):
    every, once = Lines(), Lines(during_replay=False)
    mine.addHandler(every)
    mine.addHandler(once)

    @registry.workflow(name="order")
    def order():
        mine.info("begins")
        litewf.sleep(60)
        mine.info("ends")

    with stage.engine() as engine:
        handle = engine.start_workflow(order)
        stage.asleep(handle)
        stage.clock.move(60)
        handle.get_result()
    assert [line.rpartition(" ")[2] for line in once.lines] == ["begins", "ends"]
    assert [line.rpartition(" ")[2] for line in every.lines] == ["begins", "begins", "ends"]


def test_the_logger_of_litewf_carries_all_attributes_and_the_place_of_the_call(engine, registry, caplog):
    caplog.set_level(logging.INFO, "litewf.workflow")

    @registry.step(name="charge")
    def charge():
        litewf.logger.info("charging %d %%", 5)

    @registry.workflow(name="order")
    def order():
        litewf.logger.info("100 % sure")
        charge()

    engine.start_workflow(order.with_options(workflow_id="50%s")).get_result()
    first, second = [record for record in caplog.records if record.name == "litewf.workflow"]
    assert [first.getMessage(), second.getMessage()] == ["[50%s] 100 % sure", "[50%s 1] charging 5 %"]
    assert [getattr(first, name) for name in FIELDS] == ["50%s", "order", None, None]
    assert [getattr(second, name) for name in FIELDS] == ["50%s", "order", "1", 1]
    assert (first.filename, first.funcName) == ("test_logging.py", "order")


def test_a_line_of_the_engine_about_a_workflow_carries_its_id(stage, registry, caplog):
    def one():
        pass

    def two():
        pass

    steps = iter([one, two])

    @registry.workflow(name="changed")
    def changed():
        litewf.run_step(next(steps))
        litewf.sleep(60)

    with stage.engine() as engine:
        handle = engine.start_workflow(changed.with_options(workflow_id="c"))
        stage.asleep(handle)
        stage.clock.move(60)
        with pytest.raises(litewf.WorkflowHeldError):
            handle.get_result()
    (line,) = [record for record in caplog.records if record.getMessage().startswith("workflow 'c'")]
    assert (line.workflow_id, line.workflow_name) == ("c", "changed")
    handler = Lines()
    assert handler.filter(line)
    assert handler.format(line).startswith("changed c None None: ")


def logged(path):
    """The calls of LOG in a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("LOG."):
            yield node


def test_every_line_about_an_execution_carries_its_fields():
    bare = [
        f"{path.name}:{call.lineno}"
        for path in modules()
        for call in logged(path)
        if "execution.label" in ast.unparse(call) and "extra" not in {keyword.arg for keyword in call.keywords}
    ]
    assert bare == []

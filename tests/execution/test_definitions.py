"""Decorating functions and methods: what a definition is called, what it keeps, and what is refused."""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import litewf

from .support import BAD_NAMES, NAP, Flavor

Launch = Callable[..., litewf.Engine]
REGISTRY = litewf.Registry()


class Shop:
    """Its methods are workflows and steps; it stands here because recovery finds a class by its name."""

    def __init__(self, city: str) -> None:
        self.city = city

    @REGISTRY.workflow
    def order(self, item: str) -> str:
        litewf.sleep(NAP)
        return self.pack(item)

    @REGISTRY.step
    def pack(self, item: str) -> str:
        return f"{item} from {self.city}"

    @REGISTRY.workflow
    async def order_later(self, item: str) -> str:
        await litewf.sleep_async(NAP)
        return await self.pack_later(item)

    @REGISTRY.step
    async def pack_later(self, item: str) -> str:
        return f"{item} later from {self.city}"

    @REGISTRY.workflow
    @classmethod
    def open_all(cls, count: int) -> str:
        litewf.sleep(NAP)
        return cls.label(count)  # type: ignore[call-arg, arg-type]  # checkers do not see the classmethod below

    @REGISTRY.step
    @classmethod
    def label(cls, count: int) -> str:
        return f"{cls.__name__} x{count}"

    @staticmethod
    @REGISTRY.workflow
    def close(reason: str) -> str:
        return Shop.shut(reason)

    @staticmethod
    @REGISTRY.step
    def shut(reason: str) -> str:
        return f"closed: {reason}"


class Bakery(Shop):
    """A subclass inherits the workflows."""


EU = REGISTRY.instance("eu", Shop("Lyon"))
US = REGISTRY.instance("us", Bakery("Boston"))


def test_a_decorated_function_runs_bare_and_with_options(launch: Launch, registry: litewf.Registry) -> None:
    @registry.step
    def double(x: int) -> int:
        return 2 * x

    @registry.step(name="halve", max_retries=1)
    def half(x: int) -> int:
        return x // 2

    @registry.workflow
    def bare(x: int) -> int:
        return double(x)

    @registry.workflow(name="named", max_recovery_attempts=3)
    def other(x: int) -> int:
        return half(x)

    engine = launch()
    assert engine.run_workflow(bare, 4) == 8
    handle = engine.start_workflow(other, x=4)
    assert handle.get_result() == 2
    assert handle.get_status().name == "named"
    assert [step.name for step in engine.list_steps(handle.workflow_id)] == ["halve"]


def test_names_are_the_qualified_names_of_the_functions(registry: litewf.Registry) -> None:
    def plain() -> None:
        """Say nothing."""

    workflow, step = registry.workflow(plain), registry.step(name="other")(plain)
    assert workflow.name == "test_names_are_the_qualified_names_of_the_functions.plain"
    assert (workflow.__name__, workflow.__doc__) == ("plain", "Say nothing.")
    assert step.name == "other"
    assert Shop.__dict__["order"].name == "Shop.order"
    assert repr(workflow) == f"<workflow {workflow.name}>"


def test_the_plain_function_is_kept(registry: litewf.Registry) -> None:
    @registry.workflow
    def add(x: int, y: int = 2) -> int:
        return x + y

    @registry.step
    def less(x: int) -> int:
        return x - 1

    assert add.fn(1) == 3
    assert less.fn(1) == 0
    assert list(inspect.signature(add).parameters) == ["x", "y"]
    assert Shop.close.fn("late") == "closed: late"
    assert list(inspect.signature(Shop.open_all.fn).parameters) == ["cls", "count"]
    assert Shop.__dict__["pack"].fn(EU, "tea") == "tea from Lyon"


def test_a_step_outside_a_workflow_is_a_plain_call(registry: litewf.Registry, flavor: Flavor) -> None:
    tries = []

    @flavor.step(registry, max_retries=3, base_interval=60)
    def attempt() -> None:
        tries.append((litewf.attempt(), litewf.idempotency_key()))
        raise ValueError("once")

    def call() -> None:
        result = attempt()
        if flavor.is_async:
            result.send(None)

    for _ in range(2):
        with pytest.raises(ValueError, match="once"):
            call()
    assert [number for number, _ in tries] == [1, 1]
    assert tries[0][1] != tries[1][1]


def test_a_workflow_outside_a_workflow_is_refused_and_names_run_workflow(
    registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def lonely(do: Any) -> Any:
        yield do(print)

    with pytest.raises(litewf.NotInWorkflowError, match=r"engine\.run_workflow"):
        lonely()


# --- names --------------------------------------------------------------------------------------------------------


def defined_in(module: str) -> Callable[[], int]:
    def count() -> int:
        return len(module)

    count.__module__, count.__qualname__ = module, "count"
    return count


@pytest.mark.parametrize("kind", ["workflow", "step"])
def test_the_same_name_from_another_module_is_refused(registry: litewf.Registry, kind: str) -> None:
    decorator = getattr(registry, kind)
    decorator(defined_in("a"))
    with pytest.raises(litewf.RegistrationError, match=r"'count' is already a .* of module a.*name="):
        decorator(defined_in("b"))
    decorator(name="count of b")(defined_in("b"))


def test_the_same_name_from_the_same_module_replaces(launch: Launch, registry: litewf.Registry) -> None:
    registry.workflow(defined_in("a"))
    second = registry.workflow(defined_in("a"))
    assert launch().run_workflow(second) == 1


def test_a_workflow_and_a_step_cannot_share_a_name(registry: litewf.Registry) -> None:
    registry.workflow(defined_in("a"))
    with pytest.raises(litewf.RegistrationError):
        registry.step(defined_in("a"))


def test_a_workflow_that_is_defined_after_launch_runs_too(launch: Launch, registry: litewf.Registry) -> None:
    engine = launch()

    @registry.workflow
    def late() -> str:
        return "in time"

    assert engine.run_workflow(late) == "in time"


@pytest.mark.parametrize("kind", ["workflow", "step", "transaction"])
@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_read_is_refused(registry: litewf.Registry, kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="1 to 255 printable"):
        getattr(registry, kind)(name=name)(defined_in("a"))
    with pytest.raises(ValueError, match="1 to 255 printable"):
        registry.instance(name, object())


@pytest.mark.parametrize("kind", ["workflow", "step", "transaction"])
@pytest.mark.parametrize("name", [5, b"name", True])
def test_a_name_that_is_no_text_is_refused(registry: litewf.Registry, kind: str, name: Any) -> None:
    with pytest.raises(TypeError, match="is text, not"):
        getattr(registry, kind)(name=name)(defined_in("a"))


@pytest.mark.parametrize("kind", ["workflow", "step", "transaction"])
def test_names_of_litewf_itself_are_refused(registry: litewf.Registry, kind: str) -> None:
    with pytest.raises(ValueError, match="litewf"):
        getattr(registry, kind)(name="litewf.sleep")(defined_in("a"))


def test_a_name_may_stand_first(registry: litewf.Registry) -> None:
    assert registry.workflow("one")(defined_in("a")).name == "one"
    assert registry.step("two")(defined_in("a")).name == "two"
    assert registry.transaction("three")(lambda conn: 1).name == "three"
    with pytest.raises(ValueError, match="1 to 255"):
        registry.workflow("")


def test_names_in_any_script_are_kept_apart(launch: Launch, registry: litewf.Registry) -> None:
    composed = registry.workflow(name="caf\u00e9")(defined_in("a"))
    decomposed = registry.workflow(name="cafe\u0301")(defined_in("b"))
    smile = registry.workflow(name="😀 '; DROP TABLE workflow; --")(defined_in("ccc"))
    engine = launch()
    assert [engine.run_workflow(one) for one in (composed, decomposed, smile)] == [1, 1, 3]
    assert len(engine.list_workflows(name="caf\u00e9")) == 1


# --- what cannot be decorated -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["workflow", "step"])
def test_generators_are_refused(registry: litewf.Registry, kind: str) -> None:
    def numbers() -> Any:
        yield 1

    async def more() -> Any:
        yield 1

    for fn in (numbers, more):
        with pytest.raises(litewf.RegistrationError, match="generator"):
            getattr(registry, kind)(fn)


@pytest.mark.parametrize("kind", ["workflow", "step", "transaction"])
@pytest.mark.parametrize("thing", [5, b"name", ModuleType("m")])
def test_what_is_no_function_is_refused(registry: litewf.Registry, kind: str, thing: Any) -> None:
    with pytest.raises(TypeError):
        getattr(registry, kind)()(thing)


def test_staticmethod_goes_above_the_decorator(registry: litewf.Registry) -> None:
    with pytest.raises(litewf.RegistrationError, match="@staticmethod above @workflow"):
        registry.workflow(staticmethod(defined_in("a")))


@pytest.mark.parametrize("attempts", [0, -1])
def test_max_recovery_attempts_is_at_least_one(registry: litewf.Registry, attempts: int) -> None:
    with pytest.raises(ValueError, match="max_recovery_attempts"):
        registry.workflow(max_recovery_attempts=attempts)


@pytest.mark.parametrize("attempts", [True, 1.5, "3", None])
def test_max_recovery_attempts_is_a_whole_number(registry: litewf.Registry, attempts: Any) -> None:
    with pytest.raises(TypeError, match="max_recovery_attempts"):
        registry.workflow(max_recovery_attempts=attempts)


# --- methods ------------------------------------------------------------------------------------------------------


def test_methods_run_on_the_named_instance(launch: Launch) -> None:
    engine = launch(registry=REGISTRY)
    assert engine.run_workflow(EU.order, "tea") == "tea from Lyon"
    assert engine.run_workflow(US.order, item="pie") == "pie from Boston"
    assert engine.run_workflow(EU.order_later, "tea") == "tea later from Lyon"
    assert EU.pack("tea") == "tea from Lyon"


def test_methods_find_their_object_again_after_they_left_memory(launch: Launch) -> None:
    engine = launch(registry=REGISTRY)
    assert engine.run_workflow(EU.order, "tea") == "tea from Lyon"
    assert engine.run_workflow(US.order_later, "tea") == "tea later from Boston"


def test_class_and_static_methods_run(launch: Launch) -> None:
    engine = launch(registry=REGISTRY)
    open_all: Any = Shop.open_all  # checkers do not see the classmethod below
    assert engine.run_workflow(open_all, 2) == "Shop x2"
    open_all = Bakery.open_all
    assert engine.run_workflow(open_all, 3) == "Bakery x3"
    assert engine.run_workflow(EU.open_all, 4) == "Shop x4"
    assert engine.run_workflow(Shop.close, "late") == "closed: late"


def test_a_method_of_an_unnamed_object_is_refused(launch: Launch) -> None:
    engine = launch(registry=REGISTRY)
    with pytest.raises(litewf.RegistrationError, match=r"registry\.instance"):
        engine.run_workflow(Shop("Paris").order, "tea")
    assert engine.list_workflows() == []


def test_an_instance_name_belongs_to_one_object(registry: litewf.Registry) -> None:
    shop = Shop("Oslo")
    assert registry.instance("no", shop) is registry.instance("no", shop)
    with pytest.raises(litewf.RegistrationError, match="'no' is registered already"):
        registry.instance("no", Shop("Bergen"))


def test_a_partial_and_a_callable_object_are_steps_through_run_step(launch: Launch, registry: litewf.Registry) -> None:
    def add(x: int, y: int) -> int:
        return x + y

    class Adder:
        def __call__(self, x: int) -> int:
            return x + 100

    class LateAdder:
        async def __call__(self, x: int) -> int:
            return x + 200

    @registry.workflow
    def all_kinds() -> list[int]:
        partial = functools.partial(add, 1)
        return [litewf.run_step(partial, 2), litewf.run_step(Adder(), 1), litewf.run_step(LateAdder(), 1)]

    assert launch().run_workflow(all_kinds) == [3, 101, 201]


def test_start_options_add_up(registry, launch):
    @registry.workflow
    def job() -> None:
        pass

    handle = launch().start_workflow(job.with_options(timeout=60).with_options(workflow_id="x"))
    handle.get_result()
    assert handle.workflow_id == "x"
    assert handle.get_status().timeout.total_seconds() == 60

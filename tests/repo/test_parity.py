"""Everything that touches the file has a blocking form and an `_async` twin, with the same signature."""

import inspect
from collections.abc import Callable

import pytest

import litewf

# What needs no twin, and why.
NEVER_BLOCK = {
    "Engine": {"application_version", "executor_id"},
    "WorkflowHandle": {"workflow_id", "add_done_callback", "as_future"},
}
CONTEXT = {
    "attempt", "authenticated_roles", "authenticated_user", "cancelled", "continue_as_new", "deprecate_patch",
    "idempotency_key", "is_replaying", "now", "patch", "random", "step_id", "uuid", "workflow_id",
}  # fmt: skip
DECORATORS = {"scheduled", "step", "transaction", "workflow"}
# These take what only an async workflow has, too: un-awaited durable calls.
WIDER = {"wait_first": "waits"}


def public_methods(cls: type) -> dict[str, Callable]:
    return {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_") and callable(getattr(cls, name))}


def module_functions() -> dict[str, Callable]:
    return {
        name: getattr(litewf, name)
        for name in litewf.__all__
        if name.islower() and callable(getattr(litewf, name)) and name not in DECORATORS
    }


def pairs():
    for cls in (litewf.Engine, litewf.WorkflowHandle):
        methods = public_methods(cls)
        for name, method in methods.items():
            if not name.endswith("_async") and name not in NEVER_BLOCK[cls.__name__]:
                yield pytest.param(method, methods.get(f"{name}_async"), id=f"{cls.__name__}.{name}")
    functions = module_functions()
    for name, function in functions.items():
        if not name.endswith("_async") and name not in CONTEXT:
            yield pytest.param(function, functions.get(f"{name}_async"), id=name)


def orphans():
    for cls in (litewf.Engine, litewf.WorkflowHandle):
        methods = public_methods(cls)
        yield from (name for name in methods if name.endswith("_async") and name.removesuffix("_async") not in methods)
    functions = module_functions()
    yield from (name for name in functions if name.endswith("_async") and name.removesuffix("_async") not in functions)


PAIRS = pytest.mark.parametrize(("blocking", "twin"), list(pairs()))


@PAIRS
def test_every_call_that_touches_the_file_has_an_async_twin(blocking, twin):
    assert twin is not None


@PAIRS
def test_twins_take_the_same_arguments(blocking, twin):
    ours, theirs = inspect.signature(blocking).parameters, inspect.signature(twin).parameters
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        other = theirs[name]
        assert (parameter.kind, parameter.default) == (other.kind, other.default), name
        if WIDER.get(getattr(blocking, "__name__", "")) != name:
            assert parameter.annotation == other.annotation, name


@PAIRS
def test_twins_have_names_that_say_so(blocking, twin):
    assert twin.__name__ == f"{blocking.__name__}_async"


def test_no_twin_is_without_its_blocking_form():
    assert list(orphans()) == []


def test_what_needs_no_twin_exists():
    for cls_name, names in NEVER_BLOCK.items():
        instance_names = set(dir(getattr(litewf, cls_name))) | {"executor_id"}
        assert names <= instance_names
    assert set(module_functions()) >= CONTEXT


def test_the_module_functions_are_the_engines_methods_of_the_same_name():
    """Inside a workflow one may write either."""
    shared = [
        "start_workflow",
        "start_workflows",
        "run_workflow",
        "retrieve_workflow",
        "cancel_workflow",
        "list_workflows",
    ]
    for name in shared:
        for form in (name, f"{name}_async"):
            inside = inspect.signature(getattr(litewf, form)).parameters
            outside = inspect.signature(getattr(litewf.Engine, form)).parameters
            assert list(inside.values()) == list(outside.values())[1:], form

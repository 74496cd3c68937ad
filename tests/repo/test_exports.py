"""What `import litewf` gives, and what it costs."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import litewf

HEAVY = {
    "asyncio", "aiosqlite", "attr", "attrs", "cloudevents", "croniter", "click", "fastapi", "flask", "httpx", "hypothesis", "logfire",
    "opentelemetry", "prometheus_client", "pydantic", "pytest", "requests", "rich", "sqlite3", "starlette", "typer",
    "unittest", "uvicorn",
}  # fmt: skip


def loaded_by(code):
    script = (
        f"import sys, json; before = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-S", "-E", "-c", script], capture_output=True, text=True, check=True,
                          cwd=litewf.__path__[0] + "/..", env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    return set(json.loads(done.stdout))


def test_all_is_sorted_and_complete():
    constants_classes_functions = sorted(
        litewf.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert litewf.__all__ == constants_classes_functions
    public = {
        name
        for name, value in vars(litewf.exports).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and value.__class__.__name__ != "_Feature"
    }
    assert public == set(litewf.__all__)


def test_every_public_name_says_what_it_is():
    silent = [name for name in litewf.__all__ if callable(getattr(litewf, name)) and not getattr(litewf, name).__doc__]
    assert silent == []


def test_importing_litewf_loads_nothing_that_it_does_not_need():
    loaded = {
        name.partition(".")[0]
        for name in loaded_by("sys.path[:0] = " + repr(sys.path) + "\nimport litewf; litewf.workflow")
    }
    assert loaded & HEAVY == set()
    assert "litewf" in loaded


def test_the_test_kit_is_loaded_only_by_tests():
    assert "litewf.testing" not in loaded_by("sys.path[:0] = " + repr(sys.path) + "\nimport litewf; litewf.Engine")
    plugin = loaded_by("sys.path[:0] = " + repr(sys.path) + "\nimport litewf.testing.plugin")
    assert "litewf.api.engine" not in plugin, "pytest loads the plugin in every run"
    assert not any(name.startswith("hypothesis") for name in plugin)


def test_decorating_functions_starts_no_thread():
    code = f"""
sys.path[:0] = {sys.path!r}
import threading, litewf

@litewf.workflow
def w(): pass

@litewf.step(max_retries=3)
async def s(): pass

assert threading.active_count() == 1
"""
    assert {name.partition(".")[0] for name in loaded_by(code)} & (HEAVY - {"asyncio"}) == set()


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("WorkflowNotFoundError", LookupError),
        ("WaitTimeoutError", TimeoutError),
        ("WorkflowTimeoutError", TimeoutError),
        ("StepTimeoutError", TimeoutError),
        ("SerializationError", TypeError),
        ("PayloadError", ValueError),
        ("EngineClosedError", RuntimeError),
    ],
)
def test_errors_form_one_tree_and_are_what_python_expects(name, base):
    assert issubclass(getattr(litewf, name), litewf.LitewfError)
    assert issubclass(getattr(litewf, name), base)


def test_every_error_is_in_the_one_tree():
    errors = [value for value in vars(litewf).values() if isinstance(value, type) and issubclass(value, BaseException)]
    assert [error for error in errors if not issubclass(error, litewf.LitewfError)] == []
    assert {error.__name__ for error in errors} <= set(litewf.__all__)


def test_no_public_name_is_that_of_a_module():
    """The package would take one for the other, as it loads its names when the first is asked for."""
    modules = {path.stem for path in Path(litewf.__file__).parent.iterdir()}
    assert modules & set(litewf.__all__) == set()


@pytest.mark.parametrize(
    "first", ["litewf.api.workflows", "litewf.store.store", "litewf.cli.commands.run", "litewf.cron"]
)
def test_any_module_may_be_imported_first(first):
    assert "litewf.exports" not in loaded_by(f"sys.path[:0] = {sys.path!r}\nimport {first}")

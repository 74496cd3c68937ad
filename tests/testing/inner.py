"""Runs the tests of a user inside a test, in this process: a process of their own would take half a second each."""

import pkgutil
from importlib import import_module

import pytest

import litewf.api
import litewf.engine
import litewf.serialization
import litewf.store
import litewf.testing

# Pytester forgets what is loaded while its fixture lives, and would load it a second time: so all of litewf is now.
for package in (litewf.api, litewf.engine, litewf.serialization, litewf.store, litewf.testing):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, program: str, *args: str) -> pytest.RunResult:
    """Run pytest on a program, with nothing but our plugin; it has one name, or the default registry would mind."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_project=program)
    return pytester.runpytest_inprocess("-p", "litewf.testing.plugin", "--strict-markers", *args)

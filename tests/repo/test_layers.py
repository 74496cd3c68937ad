"""Data flows one way: api -> engine -> store, and everyone knows the vocabulary."""

import pytest

from tests.repo.source import Import, imports, layer_of, modules, name_of

BELOW = {
    "vocabulary": {"vocabulary"},
    "store": {"vocabulary", "store"},
    "engine": {"vocabulary", "store", "engine"},
    "api": {"vocabulary", "store", "engine", "api"},
    "web": {"vocabulary", "api", "web"},
    "telemetry": {"vocabulary", "store", "engine", "api", "telemetry"},
    "testing": {"vocabulary", "api", "testing"},
    "cli": {"vocabulary", "store", "engine", "api", "web", "telemetry", "top", "cli"},
    "top": {"vocabulary", "store", "engine", "api", "top"},
}
# The decorators know the registry, and `Registry().workflow` gives the decorators: loaded when it is asked for.
LAZY = {"litewf.registry": {"litewf.api.workflow", "litewf.api.step", "litewf.api.transaction"}}
# A death unwinds executions as the engine itself does, and bodies tell their step.
SEAMS = {
    "testing": {
        "litewf.engine.signals",
        "litewf.engine.execution",
        "litewf.store.readers",
        "litewf.store.remains",
        "litewf.store.states",
    }
}
# The one measures SQLite without litewf, the other puts a disk of its own under it.
OUTSIDE_OF_IT = ("litewf.cli.benchmarks.", "litewf.testing.disk.")
THE_COMMAND_LINE = {"litewf.__main__"}

ALL = modules()
IDS = [name_of(path) for path in ALL]


def allowed(name: str, one: Import) -> bool:
    if not one.module.startswith("litewf"):
        return True
    if one.module in LAZY.get(name, ()):
        return one.lazy or one.typing_only
    if layer_of(one.module) == "cli" and name in THE_COMMAND_LINE:
        return True
    if one.module in SEAMS.get(layer_of(name), ()):
        return True
    return layer_of(one.module) in BELOW[layer_of(name)]


@pytest.mark.parametrize("path", ALL, ids=IDS)
def test_no_import_goes_the_other_way(path):
    name = name_of(path)
    wrong = [f"line {one.line}: {one.module}" for one in imports(path) if not allowed(name, one)]
    assert wrong == []


@pytest.mark.parametrize("path", ALL, ids=IDS)
def test_only_the_store_knows_sqlite(path):
    name = name_of(path)
    sqlite = [
        f"line {one.line}: {one.module}"
        for one in imports(path)
        if one.module.split(".")[0] in {"apsw", "aiosqlite", "sqlite3"}
    ]
    if layer_of(name) != "store" and not name.startswith(OUTSIDE_OF_IT):
        assert sqlite == []


@pytest.mark.parametrize("path", ALL, ids=IDS)
def test_nobody_imports_the_command_line(path):
    name = name_of(path)
    wrong = [one.module for one in imports(path) if layer_of(one.module) == "cli" and one.module.startswith("litewf.")]
    if layer_of(name) != "cli" and name not in THE_COMMAND_LINE:
        assert wrong == []


def test_the_layers_are_the_ones_that_are_tested():
    assert {layer_of(name) for name in IDS} == set(BELOW)


def test_a_wrong_import_would_be_found():
    assert not allowed("litewf.store.writer", Import("litewf.engine.runtime", lazy=False, typing_only=False, line=1))
    assert not allowed("litewf.engine.flows", Import("litewf.api.handle", lazy=True, typing_only=False, line=1))
    assert not allowed("litewf.testing.mortal", Import("litewf.engine.runtime", lazy=False, typing_only=False, line=1))
    assert not allowed("litewf.registry", Import("litewf.api.step", lazy=False, typing_only=False, line=1))
    assert allowed("litewf.api.handle", Import("litewf.engine.views", lazy=False, typing_only=False, line=1))

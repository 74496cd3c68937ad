"""The files of the project as these tests read them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "litewf"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def python_files() -> list[Path]:
    folders = [ROOT / name for name in ("litewf", "tests", "fuzz", "examples")]
    return sorted(path for folder in folders if folder.is_dir() for path in folder.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    """litewf/store/writer.py as litewf.store.writer."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """The folder of a module, or "vocabulary" for the files at the top and the folder that they use."""
    parts = module.split(".")
    if len(parts) == 1 or module == "litewf.exports":
        return "top"
    layered = len(parts) > 2 or (PACKAGE / parts[1]).is_dir()
    return parts[1] if layered and parts[1] != "serialization" else "vocabulary"


class Import(NamedTuple):
    """One import, with what it is bound to: `lazy` inside a function, `typing_only` under TYPE_CHECKING."""

    module: str
    lazy: bool
    typing_only: bool
    line: int


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(tree_of(path), lazy=False, typing_only=False)


def _imports(node: ast.AST, *, lazy: bool, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, lazy, typing_only, child.lineno)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports name the whole path"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                is_module = (ROOT / Path(*inner.split("."))).with_suffix(".py").is_file()
                yield Import(inner if is_module else str(child.module), lazy, typing_only, child.lineno)
        else:
            guarded = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _imports(child, lazy=lazy or function, typing_only=typing_only or guarded)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node

"""The user's program, named as `module` or `module:registry`."""

from __future__ import annotations

import importlib
import sys
from operator import attrgetter
from pathlib import Path

import typer

from litewf.registry import Registry, default_registry

PARAMETER = "MODULE[:REGISTRY]"


def registry_of(program: str) -> Registry:
    """Import the module, also from the working directory; its registry, the default one unless another is named.

    What is not there is a usage error. An error of the module itself is its own.
    """
    module_name, colon, path = program.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise _wrong(f"{program!r} does not name a module; write module or module:registry")
    sys.path.append(str(Path.cwd()))  # last, so that a file here shadows no installed module
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{module_name}.".startswith(f"{missing.name}."):
            raise
        raise _wrong(f"there is no module {module_name!r} here or on the path of Python") from None
    if not colon:
        return default_registry
    try:
        registry = attrgetter(path)(module)
    except AttributeError:
        raise _wrong(f"module {module_name!r} has no {path!r}") from None
    if not isinstance(registry, Registry):
        raise _wrong(f"{program!r} is not a litewf.Registry but {type(registry).__name__}")
    return registry


def _wrong(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint=PARAMETER)

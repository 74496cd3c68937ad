"""The user's program, named as `module` or `module:registry`."""

from __future__ import annotations

import importlib
import sys
import traceback
from operator import attrgetter
from pathlib import Path
from traceback import StackSummary
from types import ModuleType

import typer

from litewf.cli.exits import Failure
from litewf.registry import Registry, default_registry

PARAMETER = "MODULE[:REGISTRY]"


def registry_of(program: str) -> Registry:
    """Import the module, also from the working directory; its registry, the default one unless another is named.

    What is not there is a usage error. An error of the module itself is told as Python tells it, from the module on.
    """
    module_name, colon, path = program.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise _wrong(f"{program!r} does not name a module; write module or module:registry")
    if module_name.endswith(".py"):
        raise _wrong(f"{module_name!r} is a file; name the module: {module_name.removesuffix('.py')}")
    module = _imported(module_name)
    if not colon:
        return default_registry
    try:
        registry = attrgetter(path)(module)
    except AttributeError:
        raise _wrong(f"module {module_name!r} has no {path!r}") from None
    if not isinstance(registry, Registry):
        raise _wrong(f"{program!r} is not a litewf.Registry but {type(registry).__name__}")
    return registry


def _imported(name: str) -> ModuleType:
    sys.path.append(str(Path.cwd()))  # last, so that a file here shadows no installed module
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - code of the user's, told below
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise _wrong(f"there is no module {name!r} here or on the path of Python") from None
        told = traceback.TracebackException.from_exception(error)
        told.stack = StackSummary.from_list([frame for frame in told.stack if not _is_machinery(frame.filename)])
        sys.stderr.write("".join(told.format()))
        raise Failure(f"module {name!r} cannot be imported: {type(error).__name__}: {error}") from None


def _is_machinery(file: str) -> bool:
    """Whether code is that which imports, not that which is imported."""
    return file.startswith("<frozen") or file in {__file__, importlib.__file__}


def _wrong(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint=PARAMETER)

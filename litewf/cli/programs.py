"""The user's program, named as `module` or `module:registry`."""

from __future__ import annotations

import importlib
import sys
from operator import attrgetter
from pathlib import Path

import litewf


class ProgramError(Exception):
    """What was named is not there; the message is for the command line."""


def registry_of(program: str) -> litewf.Registry:
    """Import the module, from the working directory too; its registry, the default one unless another is named."""
    module_name, colon, path = program.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as missing:
        if missing.name is None or not f"{module_name}.".startswith(f"{missing.name}."):
            raise
        raise ProgramError(f"there is no module {module_name!r} here or on the path of Python") from None
    except (ValueError, TypeError):
        raise ProgramError(f"{program!r} does not name a module; write module or module:registry") from None
    if not colon:
        return litewf.default_registry
    try:
        registry = attrgetter(path)(module)
    except AttributeError:
        raise ProgramError(f"module {module_name!r} has no {path!r}") from None
    if not isinstance(registry, litewf.Registry):
        raise ProgramError(f"{program!r} is not a litewf.Registry but {type(registry).__name__}")
    return registry

"""litewf: durable execution for Python in one SQLite file.

    user code ─► api/ ─► engine/ ─► store/ ─► one SQLite file

The files beside the folders are the vocabulary that all of them share; an import in the other direction fails a test.
`exports.py` lists the public names.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litewf.exports import *  # noqa: F403 - all of them, for type checkers and editors
    from litewf.exports import __all__ as __all__


def __getattr__(name: str) -> Any:
    """Load the names when the first is asked for: what only looks at a file, such as `litewf list`, needs none."""
    if (name[:2] == "__" and name != "__all__") or find_spec(f"litewf.{name}") is not None:
        raise AttributeError(f"module 'litewf' has no {name!r} yet")  # if it is a module, the caller now imports it
    exports = import_module("litewf.exports")
    names = exports.__all__
    if name != "__all__" and name not in names:
        raise AttributeError(f"module 'litewf' has no attribute {name!r}")
    globals().update({one: getattr(exports, one) for one in names}, __all__=names)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *import_module("litewf.exports").__all__})

"""The command line: `litewf` and `python -m litewf`.

    commands/ one file per command    app.py puts them together    the other folders do what a command needs

Only here are typer and rich imported, the extra `cli`; nothing of litewf imports this package.
"""

from __future__ import annotations

import sys

PACKAGES = ("typer", "rich")
USAGE_ERROR = 2


def main() -> int:
    """Run the command that the arguments name; the exit status."""
    try:
        from litewf.cli.app import run  # noqa: PLC0415 - the packages it needs may be missing

        return run()
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in PACKAGES:
            raise
        sys.stderr.write(f"litewf: the command line needs the package {missing.name}: pip install 'litewf[cli]'\n")
        return USAGE_ERROR

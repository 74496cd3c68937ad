"""The file that a command works on: to look at without any machinery, or through a Client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from litewf.cli.exits import FILE, USAGE, Failure
from litewf.errors import LitewfError
from litewf.store.inspection import Inspection

if TYPE_CHECKING:
    from litewf.api.client import Client


@contextmanager
def opened(db: Path) -> Iterator[Client]:
    """A Client on the file, for whatever writes or waits. What it refuses of the arguments is a usage error."""
    from litewf.api.client import Client  # noqa: PLC0415 - the machinery is loaded by the commands that need it

    check_there(db)
    with usage_errors(), Client(db) as client:
        yield client


@contextmanager
def looked_at(db: Path) -> Iterator[Inspection]:
    """The file, to read from only; opens in a millisecond."""
    check_there(db)
    inspection = Inspection(db)
    try:
        if inspection.is_outdated:
            inspection.close()  # first: nothing may open a file that this process has open already
            with opened(db):  # brings the tables up to date, as every engine and client does
                pass
            inspection = Inspection(db)
        inspection.check_version()
        yield inspection
    finally:
        inspection.close()


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn what litewf refuses of its arguments into one line about the command line."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if isinstance(error, LitewfError):
            raise
        raise Failure(str(error), USAGE) from error


def check_there(db: Path) -> None:
    """Commands that run no workflows create no file."""
    if not db.exists():
        raise Failure(f"there is no file {db}; name it with --db or LITEWF_DB (an engine creates it)", FILE)

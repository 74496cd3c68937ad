"""One group, one transaction; and what becomes of each operation when that fails.

The caller owns the write connection and has entered the turnstile.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import cast

import apsw

from litewf.errors import LitewfError, OutcomeUnknownError, StoreLockedError
from litewf.store.checkpoints import Checkpoint, for_one_statement, write_checkpoints
from litewf.store.database import damaged_text, translate, unknown_outcome
from litewf.store.operations import Operation
from litewf.store.write_connection import WriteConnection

BY_RANK = attrgetter("rank")
KIND: Callable[[Operation], type[Operation]] = type


def commit_group(file: WriteConnection, path: Path, group: list[Operation]) -> None:
    """Write a group of operations and commit; each gets its result, or its error."""
    connection = file.live
    committing = False
    try:
        if (values := for_one_statement(group)) is not None:
            committing = True  # it commits itself
            write_checkpoints(connection, cast("list[Checkpoint]", group), values)
            return
        connection.execute("BEGIN IMMEDIATE")
        group.sort(key=BY_RANK)
        for kind, members in itertools.groupby(group, KIND):
            kind.apply(connection, list(members))
        committing = True
        connection.execute("COMMIT")
    except apsw.Error as error:
        if not _failed(file, path, group, error, committing=committing):
            _one_by_one(file, path, group)
    except Exception as error:  # noqa: BLE001 - one operation's; alone, it gets what it raised
        _undo(file)
        if len(group) == 1:
            group[0].error = damaged_text(error, path, "write") if isinstance(error, UnicodeDecodeError) else error
        else:
            _one_by_one(file, path, group)


def _failed(file: WriteConnection, path: Path, group: list[Operation], error: apsw.Error, *, committing: bool) -> bool:
    """Undo, and tell all of them; False if only one of several may be to blame."""
    failure = translate(error, path, "write", file.live)
    if unknown_outcome(error, file.live):
        file.broken = True
        if committing:
            failure = OutcomeUnknownError(
                f"{path}: the commit raised ({error}), so it may or may not have happened; "
                "the file is opened again, and repeating the call with the same id is safe"
            )
    else:
        _undo(file)
        if len(group) > 1 and not isinstance(error, apsw.FullError | apsw.BusyError | apsw.IOError):
            return False
    failure.__cause__ = error
    fail(group, failure)
    return True


def _undo(file: WriteConnection) -> None:
    try:
        if file.live.in_transaction:
            file.live.execute("ROLLBACK")
        if file.live.txn_state() != apsw.SQLITE_TXN_NONE:  # an error in the middle of rows; see readers.py
            file.broken = True
    except apsw.Error:
        file.broken = True


def _one_by_one(file: WriteConnection, path: Path, group: list[Operation]) -> None:
    """Something in the group failed: give each operation a transaction of its own."""
    for operation in group:
        operation.error = None
        try:
            if file.broken:
                raise StoreLockedError(f"{path}: cannot write before it is opened again; repeat the call")
            commit_group(file, path, [operation])
        except LitewfError as error:
            operation.error = error


def fail(group: Sequence[Operation], error: BaseException) -> None:
    """Give all of them the same error."""
    for operation in group:
        operation.error = error

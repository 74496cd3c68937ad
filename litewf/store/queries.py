"""The user's own SELECTs on this file, on a reader that lets nothing else through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from litewf.errors import UsageError

if TYPE_CHECKING:
    from litewf.store.transactions import Parameters

READS = frozenset({apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE})
LOOKS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list"})
WRONG = (apsw.SQLError, apsw.BindingsError, apsw.MismatchError, apsw.RangeError, apsw.TooBigError, apsw.ReadOnlyError)


def query(connection: apsw.Connection, sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """The rows of a query; what is more than a query is refused before it runs."""
    connection.authorizer = _authorize
    try:
        return connection.execute(sql, parameters).fetchall()
    except apsw.AuthError as error:
        raise UsageError(f"query() only reads; for anything else use transact(): {sql[:200]}") from error
    except WRONG as error:
        raise UsageError(f"SQLite refused the query: {error}: {sql[:200]}") from error
    finally:
        connection.authorizer = None


def _authorize(action: int, first: str | None, _second: str | None, _database: str | None, _by: str | None) -> int:
    look = action == apsw.SQLITE_PRAGMA and first in LOOKS
    return apsw.SQLITE_OK if look or action in READS else apsw.SQLITE_DENY

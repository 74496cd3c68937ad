"""The smallest thing to write: a note."""

from collections.abc import Callable
from typing import Any

from litewf.store.operations import Turn, Tx
from litewf.store.store import Store

OpenStore = Callable[..., Store]  # what the fixture `open_store` gives


def insert(text: str) -> Callable[[Tx], str]:
    """A change that adds one note; the same note twice violates a constraint."""

    def change(tx: Tx) -> str:
        tx.connection.execute("INSERT INTO note VALUES (?)", (text,))
        return text

    return change


def note(text: str) -> Turn[str]:
    return Turn(insert(text))


def write(store: Store, text: str) -> None:
    store.writer.turn(insert(text))


def notes(store: Store) -> set[str]:
    rows: list[Any] = store.read(lambda connection: connection.execute("SELECT text FROM note").fetchall())
    return {text for (text,) in rows}

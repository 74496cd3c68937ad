"""What the command line asks of a Client beyond the public methods: the store's own questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from litewf.api.actions import Operations, perform, query
from litewf.store.readers import Reader

R = TypeVar("R")


def ask(client: Operations, question: Callable[[Reader], R]) -> R:
    """The answer of the file that a client has open to a question of the store's."""
    answer: R = perform(client._running(), query("ask", lambda _: question))  # noqa: SLF001 - a part of the class, kept apart
    return answer

"""What the command line does with a Client beyond the public methods: starts by name, and the store's own questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from litewf.api.actions import Operations, perform, query
from litewf.api.handle import WorkflowHandle
from litewf.api.starts import start
from litewf.api.workflow import WorkflowOptions, named_request
from litewf.store.readers import Reader

R = TypeVar("R")


def start_named(
    client: Operations, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: WorkflowOptions
) -> WorkflowHandle[Any]:
    """Start a workflow that only other programs have: without a queue, any engine that knows it picks it up."""
    request = named_request(name, options, args, kwargs)
    what = "start_workflow" if request.options.queue is None else "enqueue"
    return perform(client._running(), start(what, request))  # noqa: SLF001 - a part of the class, kept apart


def ask(client: Operations, question: Callable[[Reader], R]) -> R:
    """The answer of the file that a client has open to a question of the store's."""
    answer: R = perform(client._running(), query("ask", lambda _: question))  # noqa: SLF001 - as above
    return answer

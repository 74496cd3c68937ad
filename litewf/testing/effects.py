"""A fake of something outside, such as a payment service, that counts what really happened.

A call with an idempotency key happens once for that key, as good services have it; a call without happens each time.
"""

from __future__ import annotations

import inspect
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litewf.engine.execution import FRAME, Branch, StepFrame


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a fake, and who made it."""

    method: str
    text: str  # 'charge(4900)', without the key
    key: str | None
    happened: bool  # False: a call with the same key had happened before, or it raised
    step: str | None  # the idempotency key of the step; None: nobody who is a step
    step_name: str | None
    in_workflow: bool


class Fake:
    """Something outside whose methods are given as functions: `Fake("bank", charge=lambda cents: f"receipt {cents}")`.

    A method may be a coroutine function. `idempotency_key` is the name of the argument that makes a call happen once;
    the method itself does not get it.
    """

    def __init__(self, name: str, /, *, key_argument: str = "idempotency_key", **methods: Callable[..., Any]) -> None:
        self._name = name
        self._key_argument = key_argument
        self._methods = methods
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._results: dict[tuple[str, str], Any] = {}
        self._guard: Callable[[], None] = lambda: None

    def __repr__(self) -> str:
        return f"<fake {self._name}>"

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_") or method not in self._methods:
            raise AttributeError(f"the fake {self._name!r} has no {method!r}: Fake({self._name!r}, {method}=...)")
        fn = self._methods[method]
        return self._awaited(method, fn) if inspect.iscoroutinefunction(fn) else self._called(method, fn)

    def _called(self, method: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            key = self._begin(method, kwargs)
            if key is not None and (method, key) in self._results:
                return self._note(method, args, kwargs, key, happened=False)
            try:
                result = fn(*args, **kwargs)
            except BaseException:
                self._note(method, args, kwargs, key, happened=False)
                raise
            return self._note(method, args, kwargs, key, happened=True, result=result)

        return call

    def _awaited(self, method: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            key = self._begin(method, kwargs)
            if key is not None and (method, key) in self._results:
                return self._note(method, args, kwargs, key, happened=False)
            try:
                result = await fn(*args, **kwargs)
            except BaseException:
                self._note(method, args, kwargs, key, happened=False)
                raise
            return self._note(method, args, kwargs, key, happened=True, result=result)

        return call

    def _begin(self, method: str, kwargs: dict[str, Any]) -> str | None:
        self._guard()
        key = kwargs.pop(self._key_argument, None)
        if key is not None and not isinstance(key, str):
            raise TypeError(f"{self._name}.{method}: {self._key_argument} is a text, not {key!r}")
        return key

    def _note(
        self, method: str, args: Any, kwargs: dict[str, Any], key: str | None, *, happened: bool, result: Any = None
    ) -> Any:
        text = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in sorted(kwargs.items()))])
        frame = FRAME.get()
        step = frame if isinstance(frame, StepFrame) else None
        call = Call(
            method,
            f"{self._name}.{method}({text})",
            key,
            happened,
            step=None if step is None else step.idempotency_key,
            step_name=None if step is None else step.name,
            in_workflow=isinstance(frame, Branch),
        )
        with self._lock:
            self._calls.append(call)
            return result if key is None else self._results.setdefault((method, key), result)

    # --- for tests --------------------------------------------------------------------------------------------

    def calls(self, method: str | None = None) -> list[Call]:
        """Its calls so far, of one method or of all."""
        with self._lock:
            return [call for call in self._calls if method in (None, call.method)]

    def happened(self) -> Counter[str]:
        """What happened, and how often: {"bank.charge(4900)": 1}."""
        return Counter(call.text for call in self.calls() if call.happened)

    def put_back(self, calls: Sequence[Call], results: Mapping[tuple[str, str], Any]) -> None:
        """Let it be as it was when these were all its calls, and these the results of those with a key."""
        with self._lock:
            self._calls[:] = calls
            self._results = dict(results)

    def results(self) -> dict[tuple[str, str], Any]:
        """What its calls with a key have returned, by method and key."""
        with self._lock:
            return dict(self._results)

    def reset(self, guard: Callable[[], None] = lambda: None) -> None:
        """Forget everything; `guard` is called before each call from now on, and may raise."""
        with self._lock:
            self._calls.clear()
            self._results.clear()
            self._guard = guard

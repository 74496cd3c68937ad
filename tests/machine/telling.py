"""Rules that leave a line in the story of their machine, so that it can be played once more."""

import functools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import rule


def act(**details: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule that leaves its line in the story."""

    def mark(method: Callable[..., None]) -> Callable[..., None]:
        return rule(**details)(told(method))

    return mark


def told(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def run(self: Any, **details: Any) -> None:
        self.story.append([method.__name__, details])
        self.counts[f"rule {method.__name__}"] += 1
        try:
            method(self, **details)
            self.agree()
        except UnsatisfiedAssumption:  # nobody can say what should be
            raise
        except Exception as error:
            self.tell_of(error)
            raise

    return run

"""Errors that a generator cannot raise: user code may raise them all the same, and flows and drivers are generators.

Python takes StopIteration for the end of a generator, and GeneratorExit for the order to end. So whoever throws an
error of user code into a flow, or raises one in it, wraps these two; the driver unwraps what comes out.
"""


class Carried(Exception):  # noqa: N818 - a wrapping that never leaves the engine, not an error for users
    """StopIteration or GeneratorExit on its way through generators."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


def carried(error: BaseException) -> BaseException:
    """The error as it may be raised in generators."""
    return Carried(error) if isinstance(error, StopIteration | GeneratorExit) else error


def uncarried(error: BaseException) -> BaseException:
    """The error as user code raised it."""
    return error.error if isinstance(error, Carried) else error


def in_coroutine(error: BaseException) -> BaseException:
    """The error as a coroutine gets it, which cannot raise StopIteration either: Python's own rule, in its words."""
    if not isinstance(error, StopIteration):
        return error
    raised = RuntimeError("coroutine raised StopIteration")
    raised.__cause__ = error
    return raised

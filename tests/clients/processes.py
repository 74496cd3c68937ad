"""Real processes that run a few lines of Python on the file of a test, and speak over their pipes."""

from collections.abc import Callable

from tests import child

ROOT = child.ROOT
PREAMBLE = """
import asyncio, os, sys
import litewf
from tests.clients import program
path = sys.argv[1]
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
"""
ENGINE = """
with litewf.Engine(path, registry=program.registry) as engine:
    say("up")
    hear()
"""


class Child(child.Child):
    """A process beside the engines and clients of a test."""

    preamble = PREAMBLE


Spawn = Callable[..., Child]  # what the fixture `spawn` gives

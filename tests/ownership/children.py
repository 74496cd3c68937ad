"""Real processes that run engines: each runs a few lines of Python, speaks over its pipes, and is killed at the end."""

from collections.abc import Callable
from pathlib import Path

from tests import child

PREAMBLE = """
import os, signal, sys, threading, time
import litewf
path = sys.argv[1]
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
"""


class Child(child.Child):
    """A process that may import the modules beside this one."""

    preamble = PREAMBLE
    modules = (child.ROOT, Path(__file__).parent)


Spawn = Callable[..., Child]  # what the fixture `spawn` gives

"""One file per command: a function whose parameters are the command's options and whose docstring is its help."""

from __future__ import annotations

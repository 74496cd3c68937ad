"""The demo: a program that is killed, and the one that kills it.

    shop ──── says what happens ───► stage ──► story ──► screen
      └─ writes ─► the file, the ledger ─► ending (was it right?)

`shop` is an ordinary litewf program in a process of its own. `stage` starts it, kills it and starts it again; `story`
is what has happened so far, which `screen` shows; `ending` judges from the file and the ledger, not from what was said.
"""

from __future__ import annotations

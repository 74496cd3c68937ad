"""What litewf costs on this disk, beside raw SQLite on the same settings.

Read in this order: `catalog` says what is measured, `raw` and `ours` are the two contestants, `worker` runs one
measurement in a process of its own, `rounds` interleaves them, `report` prints the table. Other contestants may join: a
call names any module.
"""

from __future__ import annotations

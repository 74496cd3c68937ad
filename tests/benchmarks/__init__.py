"""What litewf costs, beside raw SQLite and beside DBOS Transact: `python -m tests.benchmarks`.

Read in this order: `catalog` says what is measured and what it must show, `raw`, `ours` and `transact` are the three
contestants, `worker` runs one measurement in a process of its own, `rounds` interleaves them, `report` prints the table.
"""

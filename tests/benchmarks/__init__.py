"""What litewf must show, beside raw SQLite and beside DBOS Transact: `python -m tests.benchmarks`.

The workloads are those of `litewf bench` (litewf/cli/benchmarks); here are added the peer (`transact`), a file with a long
`history`, and the goals (`catalog`); `report` judges.
"""

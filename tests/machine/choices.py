"""What the rules of the machine choose from."""

from typing import Any

from hypothesis import strategies as st

from litewf.testing import strategies as wf
from tests.machine.flows import Act

TIMED = ("sleep", "recv", "get", "await")  # the last detail is a time
CHANGES = ["global_concurrency", "worker_concurrency", "partition_concurrency"]
NO_LIMITS: dict[str, Any] = dict.fromkeys([*CHANGES, "max_tasks_per_iteration", "rate"])

which = st.integers(0, 99)
place = st.integers(0, 1)
queue = st.sampled_from(["a", "b"])
limit = wf.limits()
limits = st.fixed_dictionaries({
    "global_concurrency": limit,
    "worker_concurrency": limit,
    "partition_concurrency": limit,
    "max_tasks_per_iteration": st.sampled_from([None, 1]),
    "rate": st.sampled_from([None, None, 1, 3]),
})  # fmt: skip
queued = st.tuples(
    st.fixed_dictionaries(
        {}, optional={"priority": st.integers(1, 3), "partition_key": st.sampled_from(["x", "x", "y"])}
    ),
    st.sampled_from(
        [{}, {}, {"delay": 5}, {"delay": 20}, {"deduplication_id": "d"}, {"deduplication_id": "d", "delay": 20}]
    ),
).map(lambda both: both[0] | both[1])
topics = st.sampled_from([None, None, "t"])
timeouts = st.sampled_from([None, None, None, 6, 40])
steps = st.sampled_from([None, 1, 1, 1, 2, 3, 4])
event_types = st.sampled_from(["paid", "sent"])
schedule = st.sampled_from(["often", "seldom"])
on_missed = st.sampled_from(["skip", "once", "all"])
seconds = st.sampled_from([1, 3, 10, 30])
waits = st.one_of(
    st.tuples(st.just("sleep"), seconds),
    st.tuples(st.just("recv"), st.sampled_from([None, "t", "peers"]), st.sampled_from([None, 3, 20])),
    st.tuples(st.just("get"), which, seconds),
    st.tuples(st.just("await"), event_types, seconds),
)
bodies = st.sampled_from(
    [("hold",), ("hold",), ("step",), ("tally",), ("uuid",), ("flaky", 1), ("flaky", 2), ("flaky", 3)]
)
talk = st.one_of(
    st.tuples(st.just("send"), which),
    st.sampled_from([("event",), ("sign",), ("write", "s"), ("write", "t"), ("close", "s")]),
)
plain: st.SearchStrategy[Act] = st.one_of(waits, bodies, bodies, talk, talk)
plain_scripts = st.lists(plain, max_size=4)
ends = st.sampled_from([("fail",), ("again",)])
children = st.tuples(st.just("child"), st.sampled_from([None, None, "a", "b"]), plain_scripts)
scripts = st.tuples(
    st.sampled_from([[], [("hold",)]]), st.lists(st.one_of(plain, plain, plain, plain, children, ends), max_size=6)
).map(lambda parts: [tuple(one) for part in parts for one in part])

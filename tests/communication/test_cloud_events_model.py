"""CloudEvents against plain Python, under virtual time: E5, E8 and E9 whatever comes in whatever order."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import litewf
from tests.stage import Stage

FEW = settings(max_examples=40, deadline=None)

published = st.tuples(
    st.just("publish"),
    st.sampled_from(["a", "b"]),  # type
    st.sampled_from(["s1", "s2"]),  # source
    st.none() | st.sampled_from(["j1", "j2"]),  # subject
    st.integers(0, 12),  # id
    st.fixed_dictionaries(
        {"n": st.sampled_from([0, 1, True, None, "x"]), "in": st.lists(st.integers(0, 1), max_size=2)}
    ),
)
waited = st.tuples(
    st.just("wait"),
    st.sampled_from(["a", "b"]),
    st.none() | st.sampled_from(["s1", "s2"]),
    st.none() | st.sampled_from(["j1", "j2"]),
    st.sampled_from(["all", "one"]),
    st.none() | st.sampled_from([{"n": 1}, {"n": [True, "x"]}, {"in.0": 1}, {"n": None, "in.1": 0}]),
)
acts = st.lists(published | waited, max_size=14)


def fits(event, wait):
    _, type_, source, subject, _, data = event
    _, wanted_type, wanted_source, wanted_subject, _, where = wait
    at = {"n": data["n"], **{f"in.{n}": value for n, value in enumerate(data["in"])}}
    for path, allowed in (where or {}).items():
        wanted = allowed if isinstance(allowed, list) else [allowed]
        if path not in at or not any(type(at[path]) is type(one) and at[path] == one for one in wanted):
            return False
    return type_ == wanted_type and wanted_source in (None, source) and wanted_subject in (None, subject)


class Model:
    """Who has which event."""

    def __init__(self):
        self.events = []  # in the order of acceptance
        self.won = set()
        self.taken = {}  # workflow → indexes

    def publish(self, event):
        if any((known[2], known[4]) == (event[2], event[4]) for known in self.events):
            return False
        self.events.append(event)
        return True

    def choices(self, workflow, wait):
        """The events that a wait may take, the oldest first."""
        return [
            at
            for at, event in enumerate(self.events)
            if fits(event, wait)
            and at not in self.taken.get(workflow, set())
            and not (wait[4] == "one" and at in self.won)
        ]

    def take(self, workflow, wait, at):
        self.taken.setdefault(workflow, set()).add(at)
        if wait[4] == "one":
            self.won.add(at)


def wait_for(wait, **options):
    _, type_, source, subject, delivery, where = wait
    return litewf.wait_event(type_, source=source, subject=subject, delivery=delivery, where=where, **options)


@FEW
@given(acts)
def test_waits_of_one_workflow_take_the_oldest_that_no_earlier_wait_took_e8_e9(acts):
    """Each wait looks once: what is there is taken at once, in order; nothing is taken twice."""
    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()

        @registry.workflow
        def main():
            outcomes = []
            for act in acts:
                if act[0] == "publish":
                    _, type_, source, subject, id_, data = act
                    new = litewf.publish_event(type_, data, source=source, subject=subject, id=str(id_))
                    outcomes.append(new)
                else:
                    event = wait_for(act, timeout=0, default=None)
                    outcomes.append(event and (event.type, event.source, event.subject, event.id, event.data))
            return outcomes

        model, expected = Model(), []
        for act in acts:
            if act[0] == "publish":
                expected.append(model.publish(act))
                continue
            choices = model.choices("w", act)
            if not choices:
                expected.append(None)
                continue
            model.take("w", act, choices[0])
            _, type_, source, subject, id_, data = model.events[choices[0]]
            expected.append((type_, source, subject, str(id_), data))
        with Stage(Path(folder) / "flows.db", registry).engine() as engine:
            assert engine.run_workflow(main) == expected


@FEW
@given(
    waits=st.lists(waited, min_size=1, max_size=4),
    events=st.lists(published, max_size=8),
    linger=st.sampled_from([0, None]),
    restart=st.integers(0, 8),
)
def test_waiting_workflows_wake_for_exactly_what_they_wait_for_e5_e8(waits, events, linger, restart):
    """Each of several workflows waits for one event while they are published; the engine restarts in between."""
    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()

        @registry.workflow
        def main(wait):
            event = wait_for(wait)
            return event.source, event.id

        stage = Stage(Path(folder) / "flows.db", registry)
        model, done = Model(), {}
        engine = stage.engine(linger=linger)
        engine.launch()
        try:
            for n, wait in enumerate(waits):
                engine.start_workflow(main.with_options(workflow_id=f"w{n}"), wait)
            for at, event in enumerate(events):
                if at == restart:
                    engine.shutdown()
                    engine = stage.engine(linger=linger)
                    engine.launch()
                _, type_, source, subject, id_, data = event
                new = engine.publish_event(type_, data, source=source, subject=subject, id=str(id_))
                assert new is model.publish(event)
                may = [n for n, wait in enumerate(waits) if n not in done and model.choices(n, wait)]
                alone = [n for n in may if waits[n][4] == "one"]
                for n in set(may) - set(alone):
                    done[n] = engine.retrieve_workflow(f"w{n}").get_result(timeout=20)
                    model.take(n, waits[n], model.choices(n, waits[n])[0])
                if alone:  # one of them wins
                    stage.until(lambda: any(_ended(engine, n) for n in alone))  # noqa: B023 - awaited here
                    (winner,) = [n for n in alone if _ended(engine, n)]
                    done[winner] = engine.retrieve_workflow(f"w{winner}").get_result(timeout=20)
                    model.take(winner, waits[winner], len(model.events) - 1)
                for n in may:
                    if n in done:
                        assert done[n] == (source, str(id_))
            for n in range(len(waits)):
                assert _ended(engine, n) == (n in done)
        finally:
            engine.shutdown()


def _ended(engine, n):
    return engine.retrieve_workflow(f"w{n}").get_status().status == "SUCCESS"

"""What a run with a crash left behind, compared with one without: in the file, and in the world outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from litewf.store.remains import Remains, Trace
from litewf.testing.effects import Call, Fake
from litewf.testing.logbook import Repeat
from litewf.testing.mortal import short
from litewf.testing.report import Problem, often

LONGEST = 200  # characters of a value in a message
KEY = "idempotency_key=litewf.idempotency_key()"
Fact = tuple[str, str]  # whose it is, "" for the whole file, and what it is, for people
Facts = dict[Fact, object]
WORKFLOWS: Fact = ("", "the workflows")


def facts_of(found: Remains) -> Facts:
    """The file as facts that a crash must not change."""
    facts: Facts = {WORKFLOWS: sorted(f"{trace.id} ({trace.name})" for trace in found.workflows.values())}
    for trace in found.workflows.values():
        facts.update({(trace.id, f"{what} of {trace.id}"): value for what, value in _facts_of(trace)})
    for source, kind, data in found.cloud_events:
        name = "", f"the CloudEvents of type {kind!r} from {source!r}"
        facts[name] = (*_tuple(facts.get(name)), data)
    for table, rows in found.tables.items():
        facts["", f"the rows of table {table}"] = rows
    return facts


def _facts_of(trace: Trace) -> Iterator[tuple[str, object]]:
    yield "the outcome", _outcome(trace)
    for name, value in trace.events.items():
        yield f"event {name!r}", value
    for name, values in trace.streams.items():
        yield f"stream {name!r}", values
    yield "the messages received", trace.received
    yield "the unread messages", trace.unread


def _outcome(trace: Trace) -> str:
    if trace.held is not None:
        return f"held: {trace.held}"
    value = trace.output if trace.error is None else trace.error
    return trace.status if value is None else f"{trace.status} {value}"


def _tuple(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else ()


def changed(facts: Facts, expected: Facts, ignored: Collection[Fact] = ()) -> Iterator[Fact]:
    """What is not as it would have been without a crash; of a workflow that only one of them has, only that."""
    both = {owner for owner, _ in facts} & {owner for owner, _ in expected}
    for fact in sorted({*facts, *expected}):
        if facts.get(fact) != expected.get(fact) and fact not in ignored and fact[0] in both:
            yield fact


def told(fact: Fact, facts: Facts, expected: Facts) -> Problem:
    """A change, in words."""
    here, there = facts.get(fact, "nothing"), expected.get(fact, "nothing")
    held = isinstance(here, str) and here.startswith("held: ")
    fix = "make its code do the same each time: now(), random(), uuid() of litewf, effects in steps"
    return Problem(f"{fact[1]}: {_cut(here)} instead of {_cut(there)}", fix if held else "")


def effects_changed(fakes: Sequence[Fake], expected: Mapping[str, int], repeats: Sequence[Repeat]) -> Iterator[Problem]:
    """What happened outside more or less often than without a crash, and which step did it."""
    happened: Counter[str] = Counter()
    for fake in fakes:
        happened.update(fake.happened())
    calls = [call for fake in fakes for call in fake.calls()]
    for text in sorted({*happened, *expected}):
        times, wanted = happened[text], expected.get(text, 0)
        if times > wanted:
            mine = [call for call in calls if call.text == text and call.happened]
            yield _too_often(mine, f"{text} happened {often(times)} instead of {often(wanted)}", repeats)
        elif times < wanted:
            yield Problem(f"{text} happened {often(times)} instead of {often(wanted)}")


def _too_often(calls: Sequence[Call], what: str, repeats: Sequence[Repeat]) -> Problem:
    target = calls[0].text.partition("(")[0]
    if any(call.in_workflow for call in calls):
        return Problem(
            f"{what}: the workflow's own code called it, which runs again at each recovery", "move it into a step"
        )
    again = {repeat.step: repeat for repeat in repeats}
    call = next((call for call in calls if call.step in again), None)
    if call is None or call.step is None:
        return Problem(what, f"pass {KEY} to {target}")
    repeat = again[call.step]
    runs = sum(one.step == call.step for one in calls)
    keys = {one.key for one in calls if one.step == call.step}
    fix = f"pass idempotency_key(), as in {target}(..., {KEY})"
    if None not in keys:
        fix = f"the keys of its calls differ ({', '.join(sorted(map(str, keys)))}): pass {KEY}, which stays the same"
    return Problem(
        f"`{short(repeat.name)}` ran {often(max(runs, 2))} when the process died {repeat.when}, and {what}", fix
    )


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

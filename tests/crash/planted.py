"""Bugs to plant in the engine, one at a time, to see whether the tests would notice.

Each is what somebody might write in good faith: a fence forgotten, two transactions where one is needed, a wake-up that
is lost. `by` says what has to notice it: scenarios that are killed at every crash point, the machine, or the disk that
loses power.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """One bug: a text of one file, what it becomes, and who notices."""

    name: str
    file: str
    old: str
    new: str
    by: str = "machine"  # or "crash SCENARIO", or "power SCENARIO"

    def applied_to(self, source: str) -> str:
        """The file with the bug."""
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: its text is in litewf/{self.file} {source.count(self.old)} times, not once")
        return source.replace(self.old, self.new)


BUGS = (
    # --- commits and their order
    Planted(
        "a commit is acknowledged before it is made",
        "store/writer.py",
        '                self._world.reach("commit.before")\n',
        "                if are_checkpoints(group):\n                    self._on_commit(group)\n"
        '                self._world.reach("commit.before")\n',
        by="crash async_steps_in_sequence",
    ),
    Planted(
        "a message is taken in one commit and recorded in the next",
        "engine/receiving.py",
        "        settle(tx, [*also, row(execution, number, inbox.name, started_us, output, error)])\n",
        "        execution.buffer(row(execution, number, inbox.name, started_us, output, error))\n",
        by="crash messages_from_outside_parked",
    ),
    Planted(
        "a call and its record are two commits",
        "engine/durable.py",
        "        settle(tx, [row(execution, number, name, started_us, output, error)])\n        if is_new",
        "        execution.buffer(row(execution, number, name, started_us, output, error))\n        if is_new",
        by="crash events_are_shown_in_order_and_never_taken_back",
    ),
    Planted(
        "a transaction of the user and its record are two commits",
        "engine/transacting.py",
        "        return settle(tx, [row])\n",
        "        execution.buffer(row)\n        return True\n",
        by="crash transactions_take_effect_once",
    ),
    Planted(
        "a body starts before what it was given is durable",
        "engine/steps.py",
        "    if execution.buffered or execution.unconfirmed:\n        yield from flush(execution)\n    if (watch",
        "    if (watch",
        by="crash values_that_replay",
    ),
    Planted(
        "a settled step may be written over",
        "engine/recording.py",
        "    record = execution.records.get(number)\n",
        "    record = execution.records.get(number) if number != '2' else None\n",
        by="crash steps_in_sequence",
    ),
    Planted(
        "a commit does not wait for the disk",
        "store/database.py",
        '        _set(connection, path, "synchronous", SYNCHRONOUS[durability])\n',
        '        _set(connection, path, "synchronous", SYNCHRONOUS["normal"])\n',
        by="power steps_in_sequence",
    ),
    Planted(
        "nothing waits for the disk",
        "store/database.py",
        '        _set(connection, path, "synchronous", SYNCHRONOUS[durability])\n',
        '        _set(connection, path, "synchronous", 0)\n',
        by="power several_workflows_share_commits",
    ),
    # --- fences, recovery
    Planted(
        "a checkpoint does not look at the fence",
        "store/checkpoints.py",
        "v.completed_us FROM {v}\n    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow AND workflow.fence = v.fence)\n",
        "v.completed_us FROM {v}\n    WHERE EXISTS (SELECT 1 FROM workflow WHERE workflow.key = v.workflow)\n",
    ),
    Planted(
        "a rewind does not raise the fence",
        "store/managing.py",
        " cancelled_by = NULL, fence = fence + 1,",
        " cancelled_by = NULL,",
    ),
    Planted(
        "what a dead engine ran is not made ready",
        "store/executors.py",
        "    UPDATE workflow SET owner = NULL, fence = fence + 1, phase = 'ready', updated_us = max(updated_us, ?),\n        recoveries",
        "    UPDATE workflow SET fence = fence + 1, updated_us = max(updated_us, ?),\n        recoveries",
        by="crash steps_in_sequence",
    ),
    Planted(
        "what was resumed while its body ran is not taken back from a dead engine",
        "store/executors.py",
        "WHERE owner = ? AND phase = 'stopping'",
        "WHERE owner = ? AND phase = 'stopped'",
    ),
    Planted(
        "an engine that lives is taken for dead",
        "engine/peers.py",
        "            return state is Peer.DEAD\n",
        "            return True\n",
    ),
    # --- waiting and waking
    Planted(
        "messages wake nobody who waits in memory",
        "engine/notifier.py",
        "for key in keys for wait in self._waits.get(key, ())]",
        'for key in keys if not key.startswith("message:") for wait in self._waits.get(key, ())]',
        by="crash messages_from_outside_in_memory",
    ),
    Planted(
        "nothing wakes who is parked",
        "store/waits.py",
        "    if keys and _anyone_waits(connection, keys[0]):",
        "    if len(keys) > 1 and _anyone_waits(connection, keys[0]):",
        by="crash messages_from_outside_parked",
    ),
    Planted(
        "the end of a workflow wakes nobody who is parked",
        "store/endings.py",
        "        if wake(connection, [operation.touched[0] for operation in operations if operation.result]):",
        "        if wake(connection, [operation.touched[0] for operation in operations if operation.error]):",
        by="crash an_async_child_is_awaited_parked",
    ),
    Planted(
        "a sleep begins anew after a crash",
        "engine/sleeps.py",
        "due(now_us)) if record is None else as_promise(record)",
        "due(now_us))",
        by="crash a_month_of_sleep_parked",
    ),
    Planted(
        "the deadline of a wait is fixed anew after a crash",
        "engine/results.py",
        "    if record is not None:\n        return as_promise(record)\n    now_us",
        "    now_us",
        by="crash a_wait_times_out",
    ),
    Planted(
        "the attempts before a crash are forgotten",
        "engine/steps.py",
        "        self.done = 0 if record is None else record.attempts\n",
        "        self.done = 0\n",
        by="crash a_step_is_retried_with_backoff",
    ),
    Planted(
        "after a crash the next attempt does not wait for its time",
        "engine/steps.py",
        "        self.due_us = None if record is None else record.due_us\n",
        "        self.due_us = None\n",
        by="crash a_step_is_retried_with_backoff",
    ),
    # --- cancel, resume, rewind, fork, generations
    Planted(
        "a cancel leaves the children alone",
        "store/cancelling.py",
        "        WHERE child.completed_us IS NULL AND NOT child.detached\n",
        "        WHERE child.completed_us IS NULL AND child.detached\n",
        by="crash a_cancel_stops_the_family",
    ),
    Planted(
        "a cancel wakes nobody who waits for the end",
        "store/cancelling.py",
        "    if wake(tx.connection, [workflow_key(one.id) for one in cancelled]):",
        "    if wake(tx.connection, []):",
    ),
    Planted(
        "a cancel does not stop what runs",
        "store/cancelling.py",
        "        if one.owner is not None:\n",
        "        if one.owner is None:\n",
    ),
    Planted(
        "a resumed workflow keeps the deadline that stopped it",
        "store/cancelling.py",
        "'ready', 'stopping'), deadline_us = NULL,",
        "'ready', 'stopping'),",
    ),
    Planted(
        "a resume forgets the children",
        "store/cancelling.py",
        'AND NOT child.detached)"\n        " SELECT key FROM tree",',
        'AND child.detached)"\n        " SELECT key FROM tree",',
        by="crash a_cancelled_family_is_resumed",
    ),
    Planted(
        "a rewind keeps the messages",
        "store/communication.py",
        '"UPDATE message SET taken_by = NULL WHERE workflow = ? AND CAST(taken_by AS INTEGER) >= ?"',
        '"UPDATE message SET taken_by = NULL WHERE workflow = ? AND CAST(taken_by AS INTEGER) > ? + 1000"',
        by="crash a_cancel_returns_nothing_and_a_rewind_all",
    ),
    Planted(
        "a rewind keeps the events",
        "store/communication.py",
        '    connection.execute(f"DELETE FROM event WHERE workflow = ? AND {NUMBER} >= ?", dropped)\n',
        "",
    ),
    Planted(
        "a fork takes one step too many",
        "store/managing.py",
        "AND completed_us IS NOT NULL AND {NUMBER} < ? ORDER BY key",
        "AND completed_us IS NOT NULL AND {NUMBER} <= ? ORDER BY key",
    ),
    Planted(
        "what an earlier generation received comes back",
        "store/endings.py",
        "    communication.seal(tx, key)\n",
        "",
    ),
    # --- messages, events, streams
    Planted(
        "the idempotency key of a message is lost",
        "store/messages.py",
        "(receiver, message.topic, message.idempotency_key, message.value, message.trace, now_us)",
        "(receiver, message.topic, None, message.value, message.trace, now_us)",
    ),
    Planted(
        "the newest message comes first",
        "store/messages.py",
        '        " ORDER BY key LIMIT 1",\n        (receiver, topic),',
        '        " ORDER BY key DESC LIMIT 1",\n        (receiver, topic),',
    ),
    Planted(
        "a closed stream takes more",
        "store/streams.py",
        "nullif(coalesce((SELECT iif(s.value IS NULL, -1, s.offset + 1)",
        "nullif(coalesce((SELECT s.offset + 1",
    ),
    Planted(
        "the first value of an event counts, not the latest",
        "store/events.py",
        "ORDER BY key DESC LIMIT 1",
        "ORDER BY key LIMIT 1",
        by="crash a_step_shows_its_progress",
    ),
    Planted(
        "a CloudEvent that one wait took is there for the next",
        "store/cloud_events.py",
        "      AND NOT EXISTS (SELECT 1 FROM taking WHERE taking.workflow = ?4 AND taking.event = cloud_event.key)\n",
        "",
    ),
    # --- queues
    Planted(
        "a deduplication id is free once its workflow has started",
        "store/queues.py",
        "\"UPDATE task SET state = 'started', slot = 1 WHERE",
        "\"UPDATE task SET state = 'started', slot = 1, deduplication_id = NULL WHERE",
    ),
    Planted(
        "one workflow more than a queue allows",
        "store/queues.py",
        "    return max(queue.global_concurrency - int(row[0]), 0)",
        "    return max(queue.global_concurrency + 1 - int(row[0]), 0)",
    ),
    Planted(
        "a partition counts who waits, not who runs",
        "store/queues.py",
        "    free = max(limit - _count(tx, here), 0)\n",
        "    free = limit\n",
        by="crash async_parents_and_children_in_partitions_of_one",
    ),
    Planted(
        "a parent that waits for its child keeps the slot that the child needs",
        "store/queues.py",
        '        "UPDATE task SET slot = 0 WHERE slot = 1 AND queue <> ?',
        '        "UPDATE task SET slot = 1 WHERE slot = 1 AND queue <> ?',
        by="crash a_parent_and_its_children_on_a_queue_of_one",
    ),
    Planted(
        "half of a rate window is refunded",
        "store/rates.py",
        "past_us + rate.period_us > now_us:\n            return Allowance(ahead, past_us + rate.period_us)",
        "past_us + rate.period_us // 2 > now_us:\n            return Allowance(ahead, past_us + rate.period_us // 2)",
    ),
    Planted(
        "a paused queue goes on",
        "store/claims.py",
        "        if queue.paused:\n",
        "        if queue.paused > 1:\n",
    ),
    Planted(
        "the least urgent comes first",
        "store/claims.py",
        "        return [key for _, key in sorted(mine)[:limit]]",
        "        return [key for _, key in sorted(mine, reverse=True)[:limit]]",
    ),
    Planted(
        "a workflow that goes on gets its whole timeout again",
        "store/claims.py",
        "                        deadline_us = iif(status = 'PENDING', deadline_us, coalesce(\n"
        "                            min(deadline_us, {DEADLINE}), deadline_us, {DEADLINE}))\n",
        "                        deadline_us = coalesce({DEADLINE}, deadline_us)\n",
    ),
    # --- schedules
    Planted(
        "the id of a tick is without its time",
        "engine/firing.py",
        "    return f\"{name}@{moment(intended_us).isoformat().replace('+00:00', 'Z')}\"",
        '    return f"{name}@tick"',
    ),
    Planted(
        "a schedule moves on before its ticks are there",
        "engine/firing.py",
        "    for name, overlapped in runtime.store.writer.turn(lambda tx: _start(tx, plans, now_us), inline=True):",
        "    runtime.store.writer.turn(lambda tx: [schedules.move(tx, plan.row.name, plan.next_us, None, now_us)"
        " for plan in plans])\n"
        "    plans = [Plan(plan.row._replace(next_us=plan.next_us), plan.ticks, plan.next_us) for plan in plans]\n"
        "    for name, overlapped in runtime.store.writer.turn(lambda tx: _start(tx, plans, now_us), inline=True):",
        by="crash every_tick_runs_once",
    ),
    Planted(
        "a missed tick that is an hour late still runs",
        "engine/ticks.py",
        "LATE_US = 60_000_000",
        "LATE_US = 3_600_000_000",
    ),
)

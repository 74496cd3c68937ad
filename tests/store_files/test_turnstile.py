"""The gate: one at a time, in order of arrival, whatever happens to processes and files."""

import os
import signal
import threading
import time
from pathlib import Path

import apsw
import pytest

from litewf.errors import EngineClosedError, StoreUnsupportedError
from litewf.store import oslock
from litewf.store.turnstile import Turnstile


@pytest.fixture
def gate(db):
    with_gate = Turnstile(db)
    yield with_gate
    with_gate.close()


def is_free(db, which):
    fd = oslock.open_existing(db.with_name(f"app.db-{which}"))
    try:
        return oslock.lock(fd, blocking=False)
    finally:
        os.close(fd)


def until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline


def test_inside_only_the_turn_is_taken_and_after_leaving_nothing(db, gate):
    with gate:
        assert is_free(db, "next")
        assert not is_free(db, "turn")
    assert is_free(db, "next")
    assert is_free(db, "turn")


def test_an_exception_inside_leaves_the_gate(db, gate):
    with pytest.raises(KeyError), gate:
        raise KeyError
    assert is_free(db, "turn")


def test_two_processes_exclude_each_other(db, spawn):
    counter = db.with_name("counter")
    counter.write_text("0")
    code = """
gate = Turnstile(db)
counter = db.with_name("counter")
say("ready"); hear()
for _ in range(400):
    with gate:
        seen = int(counter.read_text())
        os.sched_yield()
        counter.write_text(str(seen + 1))
say("done")
"""
    both = [spawn(code), spawn(code)]
    assert [p.hear() for p in both] == ["ready", "ready"]
    for p in both:
        p.say()
    assert [p.hear() for p in both] == ["done", "done"]
    assert counter.read_text() == "800"


def test_who_waits_longer_goes_first(db, gate, spawn):
    first_in, order = (
        db.with_name("order"),
        "gate = Turnstile(db); say('ready'); hear()\nwith gate: {}\nsay('out')",
    )
    record = "open(db.with_name('order'), 'a').write({!r})"
    early, late = spawn(order.format(record.format("early "))), spawn(order.format(record.format("late ")))
    assert early.hear() == late.hear() == "ready"
    with gate:
        early.say()
        until(lambda: not is_free(db, "next"))
        late.say()
    assert early.hear() == late.hear() == "out"
    assert first_in.read_text() == "early late "


def test_a_process_killed_inside_or_waiting_opens_the_gate(db, gate, spawn):
    code = "gate = Turnstile(db); gate.enter(); say('in'); hear()"
    inside = spawn(code)
    inside.hear()
    waiting = spawn(code)
    until(lambda: not is_free(db, "next"))
    waiting.kill()
    assert is_free(db, "next")
    inside.kill()
    gate.enter()
    gate.leave()


def test_an_interrupt_while_waiting_leaves_nobody_standing_behind(db, gate):
    other = Turnstile(db)
    main, gone = threading.get_ident(), threading.Event()

    def interrupt():
        until(lambda: not is_free(db, "next"))
        while not is_free(db, "next"):  # a signal that comes just before the system call does not interrupt it
            signal.pthread_kill(main, signal.SIGINT)
            gone.wait(0.5)

    with other:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            gate.enter()
        gone.set()
        thread.join()
        assert is_free(db, "next")
        assert not is_free(db, "turn")
    other.close()


def test_a_forked_child_that_forgets_leaves_the_parent_inside(db, gate, in_fork):
    with gate:
        in_fork(gate.forget_after_fork)
        assert not is_free(db, "turn")


def test_close_inside_opens_the_gate_even_beside_a_forked_copy_and_can_be_repeated(db, gate):
    gate.enter()
    copies = [os.dup(gate._next), os.dup(gate._turn)]
    gate.close()
    gate.close()
    assert is_free(db, "turn")
    for fd in copies:
        os.close(fd)
    gate.leave()
    with pytest.raises(EngineClosedError, match="closed in this process"):
        gate.enter()


def test_closing_keeps_the_files_for_the_others(db, gate):
    gate.close()
    assert sorted(p.name for p in db.parent.iterdir()) == ["app.db-next", "app.db-turn"]


@pytest.mark.parametrize("which", ["next", "turn"])
def test_after_someone_deleted_a_file_all_meet_again_at_the_new_one(db, gate, which):
    other = Turnstile(db)
    db.with_name(f"app.db-{which}").unlink()
    for one in (gate, other):
        for _ in range(256):
            with one:
                pass
    with gate:
        assert not is_free(db, "turn")
        for one in (gate, other):
            assert oslock.names(db.with_name("app.db-next"), one._next)
            assert oslock.names(db.with_name("app.db-turn"), one._turn)
    other.close()


def test_refresh_joins_the_new_files_at_once_and_does_nothing_otherwise(db, gate):
    before = gate._next, gate._turn
    gate.refresh()
    assert (gate._next, gate._turn) == before
    for which in ("next", "turn"):
        db.with_name(f"app.db-{which}").unlink()
    gate.refresh()
    with gate:
        assert not is_free(db, "turn")
    gate.close()
    gate.refresh()


def test_a_vanished_directory_keeps_the_old_gate(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    gate = Turnstile(home / "app.db")
    home.rename(tmp_path / "moved")
    gate.refresh()
    with gate:
        assert not is_free(tmp_path / "moved" / "app.db", "turn")
    gate.close()


def test_a_gate_without_a_directory_has_a_clear_error_and_leaks_nothing(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StoreUnsupportedError, match="cannot open"):
        Turnstile(tmp_path / "none" / "app.db")
    (tmp_path / "app.db-turn").symlink_to("nowhere")
    with pytest.raises(StoreUnsupportedError, match="cannot open"):
        Turnstile(tmp_path / "app.db")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_four_processes_that_never_pause_get_even_shares(db, spawn):
    connection = apsw.Connection(str(db))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE t (who)")
    connection.close()
    code = """
import apsw, time
gate = Turnstile(db)
connection = apsw.Connection(str(db))
connection.pragma("synchronous", "full")
say("ready")
deadline, done = float(hear()), 0
while time.monotonic() < deadline:
    with gate:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("COMMIT")
    done += 1
say(done)
"""
    writers = [spawn(code) for _ in range(4)]
    assert {w.hear() for w in writers} == {"ready"}
    deadline = time.monotonic() + 2
    for w in writers:
        w.say(str(deadline))
    shares = [int(w.hear()) for w in writers]
    assert min(shares) > 0.8 * sum(shares) / 4, shares

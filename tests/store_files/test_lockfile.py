"""Life and death of a process as its lock file tells them."""

import os
import signal

import pytest

from litewf.errors import StoreError
from litewf.store import lockfile, oslock
from litewf.store.lockfile import Peer, ProcessLock, probe, remove_dead

HOLD = "lock = ProcessLock.create(db, 'one'); say(lock.name); hear()"


@pytest.fixture
def held(db):
    lock = ProcessLock.create(db, "one")
    yield lock
    lock.release()


def test_a_new_lock_is_intact_and_alive_even_to_its_own_process(db, held):
    assert held.name == "app.db-lock-one"
    assert held.intact()
    assert probe(db, held.name) is Peer.ALIVE


def test_a_killed_holder_is_dead_at_once(db, spawn):
    holder = spawn(HOLD)
    name = holder.hear()
    assert probe(db, name) is Peer.ALIVE
    holder.kill()
    assert probe(db, name) is Peer.DEAD


def test_a_stopped_holder_is_still_alive(db, spawn):
    holder = spawn(HOLD)
    name = holder.hear()
    os.kill(holder.popen.pid, signal.SIGSTOP)
    os.waitpid(holder.popen.pid, os.WUNTRACED)
    assert probe(db, name) is Peer.ALIVE


def test_a_forked_child_that_closes_its_copy_does_not_free_it(db, held, in_fork):
    in_fork(held.forget_after_fork)
    assert held.intact()
    assert probe(db, held.name) is Peer.ALIVE


def test_a_forked_child_that_releases_does_not_free_it(db, held, in_fork):
    in_fork(held.release)
    assert held.intact()
    assert probe(db, held.name) is Peer.ALIVE


def test_a_child_that_forgot_does_not_outlive_its_parent_as_a_holder(db, spawn):
    holder = spawn(
        "lock = ProcessLock.create(db, 'one')\n"
        "ready, done = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    lock.forget_after_fork(); os.write(done, b'.'); hear(); os._exit(0)\n"
        "os.read(ready, 1); say(lock.name); os.read(ready, 1)"
    )
    name = holder.hear()
    holder.kill()
    assert probe(db, name) is Peer.DEAD


def test_a_child_that_runs_another_program_does_not_hold_the_lock(db, spawn):
    holder = spawn(
        "import subprocess\nlock = ProcessLock.create(db, 'one')\n"
        "subprocess.Popen(['cat']); say(lock.name); os.read(os.pipe()[0], 1)"
    )
    name = holder.hear()
    holder.kill()
    assert probe(db, name) is Peer.DEAD


def test_an_unlinked_lock_file_is_missing_and_no_longer_intact(db, held):
    (db.parent / held.name).unlink()
    assert not held.intact()
    assert probe(db, held.name) is Peer.MISSING


def test_a_moved_or_replaced_lock_file_is_no_longer_intact(db, held):
    path = db.parent / held.name
    path.rename(db.parent / "elsewhere")
    assert not held.intact()
    path.touch()
    assert not held.intact()
    held.release()
    assert path.exists()  # not ours: left alone


def test_release_unlinks_the_file_and_can_be_repeated(db, held):
    held.release()
    held.release()
    assert probe(db, held.name) is Peer.MISSING
    assert not held.intact()
    assert list(db.parent.iterdir()) == []


def test_release_frees_the_lock_although_a_forked_child_keeps_its_copy(db):
    lock = ProcessLock.create(db, "one")
    watcher = oslock.open_existing(db.parent / lock.name)
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(done)
        os.read(ready, 1)
        os._exit(0)
    lock.release()
    assert oslock.lock(watcher, blocking=False)
    os.close(done)
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(watcher)


def test_the_file_is_unlinked_before_it_is_unlocked(db, monkeypatch):
    lock = ProcessLock.create(db, "one")
    seen = []
    monkeypatch.setattr(lockfile.oslock, "unlock", lambda _fd: seen.append(probe(db, lock.name)))
    lock.release()
    assert seen == [Peer.MISSING]


def test_remove_dead_unlinks_only_the_files_of_the_dead(db, held, spawn):
    holder = spawn("lock = ProcessLock.create(db, 'two'); say(lock.name); hear()")
    name = holder.hear()
    assert not remove_dead(db, name)
    holder.kill()
    assert remove_dead(db, name)
    assert not remove_dead(db, name)
    assert not remove_dead(db, held.name)
    assert [p.name for p in db.parent.iterdir()] == [held.name]


def test_peers_that_probe_together_do_not_take_each_other_for_the_holder(db, spawn):
    holder = spawn(HOLD)
    name = holder.hear()
    holder.kill()
    other = oslock.open_existing(db.parent / name)
    assert oslock.lock(other, shared=True, blocking=False)
    assert probe(db, name) is Peer.DEAD
    assert remove_dead(db, name)
    os.close(other)


def test_a_token_is_never_used_twice(db, held):
    with pytest.raises(StoreError, match="needs a new token"):
        ProcessLock.create(db, "one")
    assert held.intact()


@pytest.mark.parametrize("token", ["", "a/b", "..", "a b", "a\0b", "é", "a\n"])
def test_a_token_that_could_leave_the_directory_is_refused(db, token):
    with pytest.raises(ValueError, match="token must be"):
        ProcessLock.create(db, token)
    assert list(db.parent.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "app.db",
        "app.db-wal",
        "app.db-lock-",
        "app.db-lock-../x",
        "/etc/passwd",
        "other.db-lock-1",
        "app.db-lock-a\n",
        "",
    ],
)
def test_files_that_are_not_lock_files_of_this_database_are_never_touched(db, name, monkeypatch):
    monkeypatch.setattr(oslock, "open_existing", lambda _path: pytest.fail("opened"))
    assert probe(db, name) is Peer.MISSING
    assert not remove_dead(db, name)


def test_a_file_unlinked_or_locked_during_creation_is_given_up_for_a_new_name(db, monkeypatch):
    create, fds = oslock.create, []

    def disturbed(path, *, like):
        fd = create(path, like=like)
        if path.name.endswith("-one"):
            path.unlink()
        if path.name.endswith("-one-1"):
            fds.append(oslock.open_existing(path))
            oslock.lock(fds[-1], shared=True)
        return fd

    monkeypatch.setattr(oslock, "create", disturbed)
    lock = ProcessLock.create(db, "one")
    assert lock.name == "app.db-lock-one-2"
    assert lock.intact()
    assert [p.name for p in db.parent.iterdir()] == [lock.name]
    lock.release()
    os.close(fds[0])


def test_creation_gives_up_with_a_clear_error_when_it_is_disturbed_forever(db, monkeypatch):
    monkeypatch.setattr(oslock, "lock", lambda *_args, **_options: False)
    with pytest.raises(StoreError, match="keeps locking or deleting"):
        ProcessLock.create(db, "one")
    assert list(db.parent.iterdir()) == []

"""The bare locks, with and without the call that keeps the GIL."""

import os
import threading

import pytest

from litewf.errors import StoreError, StoreFullError, StoreUnsupportedError
from litewf.store import oslock


@pytest.fixture(params=["keeping the GIL", "fcntl alone"], autouse=True)
def way(request, monkeypatch):
    if request.param == "fcntl alone":
        monkeypatch.setattr(oslock, "_flock", oslock._without_ctypes)
    else:
        assert oslock._flock is not oslock._without_ctypes


@pytest.fixture
def two(tmp_path):
    path = tmp_path / "x"
    fds = [oslock.create(path, like=path), oslock.open_existing(path)]
    yield fds
    for fd in fds:
        os.close(fd)


def test_a_lock_excludes_another_open_file_of_the_same_process(two):
    assert oslock.lock(two[0], blocking=False)
    assert not oslock.lock(two[1], blocking=False)
    oslock.unlock(two[0])
    assert oslock.lock(two[1], blocking=False)


def test_shared_locks_go_together_but_not_with_an_exclusive_one(two):
    assert oslock.lock(two[0], shared=True, blocking=False)
    assert oslock.lock(two[1], shared=True, blocking=False)
    assert not oslock.lock(two[0], blocking=False)


def test_closing_another_descriptor_of_the_file_keeps_the_lock(two, tmp_path):
    oslock.lock(two[0])
    os.close(oslock.open_existing(tmp_path / "x"))
    os.close(os.dup(two[0]))
    assert not oslock.lock(two[1], blocking=False)


def test_a_blocking_lock_waits_until_the_holder_unlocks(two):
    oslock.lock(two[0])
    got = threading.Event()
    waiter = threading.Thread(target=lambda: oslock.lock(two[1]) and got.set())
    waiter.start()
    assert not got.is_set()
    oslock.unlock(two[0])
    assert got.wait(5)
    waiter.join()


def test_a_closed_descriptor_is_an_error_not_a_lock():
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    for call in (oslock.lock, lambda fd: oslock.lock(fd, blocking=False), oslock.unlock):
        with pytest.raises(OSError, match="Bad file descriptor"):
            call(fd)


def test_without_ctypes_the_plain_call_is_used(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ctypes", None)
    assert oslock._flock_keeping_the_gil() is oslock._without_ctypes


def test_a_lock_file_gets_the_mode_of_the_database_whatever_the_umask(tmp_path):
    db = tmp_path / "a.db"
    db.touch()
    db.chmod(0o660)
    before = os.umask(0o777)
    try:
        os.close(oslock.create(tmp_path / "a.db-next", like=db))
    finally:
        os.umask(before)
    assert (tmp_path / "a.db-next").stat().st_mode & 0o777 == 0o660


def test_a_lock_file_is_not_inherited_by_other_programs(two):
    assert not os.get_inheritable(two[0])
    assert not os.get_inheritable(two[1])


def test_a_link_in_the_place_of_a_lock_file_is_not_followed(tmp_path):
    (tmp_path / "victim").touch()
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreUnsupportedError, match="cannot open"):
        oslock.open_existing(tmp_path / "link")


def test_a_missing_directory_and_a_full_disk_have_clear_errors(tmp_path, monkeypatch):
    with pytest.raises(StoreUnsupportedError, match="must be able to create and lock files"):
        oslock.create(tmp_path / "none" / "x", like=tmp_path)
    for number, kind in ((28, StoreFullError), (24, StoreError)):

        def fail(*_args, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(oslock.os, "open", fail)
        with pytest.raises(kind, match="cannot open"):
            oslock.create(tmp_path / "x", like=tmp_path)
        with pytest.raises(kind, match="cannot open"):
            oslock.open_existing(tmp_path / "x")
        monkeypatch.undo()

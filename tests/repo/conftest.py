"""Tests of the source itself; they read all of it."""

from collections.abc import Iterator

import pytest

from tests.repo import source


@pytest.fixture(autouse=True, scope="package")
def forgotten_in_the_end() -> Iterator[None]:
    """A million nodes of syntax trees would make each garbage collection of later tests take half a second."""
    yield
    source.tree_of.cache_clear()

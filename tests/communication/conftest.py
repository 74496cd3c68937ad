"""The stage of these tests, and workflows that wait for CloudEvents."""

import pytest

import litewf
from tests.crash.conftest import silent_logs
from tests.waiting.conftest import stage

__all__ = ["silent_logs", "stage"]


@pytest.fixture
def waiter(registry):
    """The data of as many events as asked for."""

    @registry.workflow(name="waiter")
    def waiter(count=1, **options):
        return [litewf.wait_event("t", **options).data for _ in range(count)]

    return waiter


@pytest.fixture
def async_waiter(registry):
    @registry.workflow(name="async waiter")
    async def waiter(count=1, **options):
        return [(await litewf.wait_event_async("t", **options)).data for _ in range(count)]

    return waiter


@pytest.fixture(params=["sync", "async"])
def any_waiter(request, waiter, async_waiter):
    return waiter if request.param == "sync" else async_waiter

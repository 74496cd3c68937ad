"""An engine, and the application that serves it."""

import pytest

import litewf
from litewf.web import asgi_app
from tests.web.visits import Site


@pytest.fixture
def site(engine: litewf.Engine) -> Site:
    return Site(asgi_app(engine, max_body=10_000))


@pytest.fixture
def received(registry: litewf.Registry):
    """A workflow that returns the event that it waited for, whole; any type of event that a test may send."""

    @registry.workflow(name="received")
    def received(type: str = "paid") -> litewf.ReceivedEvent:
        return litewf.wait_event(type, timeout=20)

    return received

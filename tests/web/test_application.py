"""The application as a whole: who launches the engine, what is not there, what is the program's own fault."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

import litewf
from litewf.web import asgi_app
from tests.web.visits import Site


def lifetime(app: Starlette, engine: litewf.Engine) -> list[bool]:
    """Whether the engine runs before, during and after the life of a server."""

    async def live():
        before = engine.is_running
        async with app.router.lifespan_context(app):
            during = engine.is_running
        return [before, during, engine.is_running]

    return asyncio.run(live())


def test_a_server_runs_the_engine_as_long_as_it_lives(path, registry):
    engine = litewf.Engine(path, registry=registry)
    assert lifetime(asgi_app(engine), engine) == [False, True, False]
    assert lifetime(asgi_app(engine), engine) == [False, True, False]


def test_an_engine_that_runs_already_is_left_alone(engine):
    assert lifetime(asgi_app(engine), engine) == [True, True, True]


def test_only_an_engine_can_be_served(path):
    with pytest.raises(TypeError):
        asgi_app(str(path))


@pytest.mark.parametrize("route", ["/nothing", "/workflows/", "/workflows/a/b", "/workflows//steps", "/health"])
def test_what_is_not_there_is_said_in_json_and_redirects_nowhere(route, site):
    reply = site.get(route)
    assert (reply.status_code, reply.json()["retryable"]) == (404, False)


def test_a_fault_of_the_program_shows_nothing_of_its_inside(engine, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(litewf.Engine, "list_steps_async", broken)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(asgi_app(engine), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/workflows/w/steps")

    reply = asyncio.run(ask())
    assert (reply.status_code, reply.json()["error_type"]) == (500, "InternalError")
    assert "secret" not in reply.text


def test_such_a_fault_reaches_the_servers_log(site, monkeypatch):
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(litewf.Engine, "list_steps_async", broken)
    with pytest.raises(RuntimeError, match="a secret"):
        site.get("/workflows/w/steps")


def test_health_needs_a_file_that_can_be_read(engine, site, monkeypatch):
    async def unreadable(*_: object) -> None:
        raise litewf.StoreCorruptError("damaged")

    monkeypatch.setattr(litewf.Engine, "query_async", unreadable)
    assert site.get("/health/ready").status_code == 503
    assert site.get("/health/live").status_code == 200


def test_two_engines_are_served_side_by_side(tmp_path, registry):
    with (
        litewf.Engine(tmp_path / "a.db", registry=registry) as one,
        litewf.Engine(tmp_path / "b.db", registry=registry) as two,
    ):
        Site(asgi_app(one)).publish()
        assert one.query("SELECT count(*) FROM cloud_event") == [(1,)]
        assert two.query("SELECT count(*) FROM cloud_event") == [(0,)]

"""Who may ask: with a token all but health and description are closed; without one, other web sites stay outside."""

import hmac

import pytest

from litewf.web import asgi_app, guard
from litewf.web.routes import TABLE
from tests.web.visits import Site, whole

TOKEN = "s3cret-token"
OPEN = {"/health/live", "/health/ready", "/openapi.json"}


@pytest.fixture
def locked(engine):
    return Site(asgi_app(engine, token=TOKEN))


@pytest.mark.parametrize("operation", TABLE, ids=lambda operation: operation.name)
def test_every_route_asks_for_the_token_but_the_open_ones(operation, locked):
    route = operation.path.replace("{id}", "none").replace("{key}", "k")
    reply = locked(operation.method, route)
    assert (reply.status_code != 401) is (operation.path in OPEN)
    if operation.path not in OPEN:
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.json()["retryable"] is False
        assert locked("DELETE", route).status_code == 401


WRONG = [
    "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
    TOKEN, f"Bearer x {TOKEN}", "Bearer \xe4",
]  # fmt: skip


@pytest.mark.parametrize("given", WRONG)
def test_a_wrong_token_is_refused(given, locked, engine):
    reply = locked.post("/events", json=whole(), headers={"authorization": given.encode("latin-1")})
    assert (reply.status_code, reply.json()["error_type"]) == (401, "Unauthorized")
    assert TOKEN not in reply.text
    assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]


def test_two_tokens_are_none(locked):
    headers = [("authorization", f"Bearer {TOKEN}")] * 2
    assert locked.get("/workflows", headers=headers).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_right_token_opens_every_route(scheme, locked):
    assert locked.get("/workflows", headers={"authorization": f"{scheme} {TOKEN}"}).status_code == 200


def test_tokens_are_compared_in_constant_time(locked, monkeypatch):
    compared, really = [], hmac.compare_digest

    def compare(left, right):
        compared.append((left, right))
        return really(left, right)

    monkeypatch.setattr(guard.hmac, "compare_digest", compare)
    locked.get("/workflows", headers={"authorization": "Bearer wrong"})
    assert compared == [(b"wrong", TOKEN.encode())]


@pytest.mark.parametrize("token", ["", "a b", "a\n", "\xe4", 7])
def test_a_token_that_no_header_can_hold_is_refused(token, engine):
    with pytest.raises((ValueError, TypeError)):
        asgi_app(engine, token=token)


def test_without_a_token_another_web_site_may_look_at_nothing_and_do_nothing(site):
    headers = {"sec-fetch-site": "cross-site"}
    refused = site.post("/workflows/none/cancel", headers=headers)
    assert (refused.status_code, refused.json()["error_type"]) == (403, "CrossSiteRequest")
    assert "access-control-allow-origin" not in site.get("/workflows", headers=headers).headers
    assert site.post("/workflows/none/cancel", headers={"sec-fetch-site": "same-origin"}).status_code == 404


def test_with_a_token_a_web_site_that_has_it_may_do_everything(locked):
    headers = {"sec-fetch-site": "cross-site", "authorization": f"Bearer {TOKEN}"}
    assert locked.post("/workflows/none/cancel", headers=headers).status_code == 404


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "1"])
def test_a_limit_that_is_none_is_refused(size, engine):
    with pytest.raises(ValueError):
        asgi_app(engine, max_body=size)

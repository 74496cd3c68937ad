"""The defects of Edda's and Romancy's event endpoints, line by line, as this one answers."""

import json

import pytest

import litewf
from litewf.web import asgi_app
from tests.web.visits import BATCHED, STRUCTURED, Site, whole

BINARY = {f"ce-{name}": value for name, value in whole().items()}
JSON = {"content-type": STRUCTURED}


def post(site, body=None, headers=JSON, route="/"):
    return site.post(route, content=b"" if body is None else json.dumps(body), headers=headers)


# What they do; how it is asked for here; the status that is right.
LINES = [
    ("Romancy has no binary mode", lambda site: post(site, {"a": 1}, BINARY | {"content-type": "application/json"}), 202),
    ("neither has batches", lambda site: post(site, [whole()], {"content-type": BATCHED}), 202),
    ("Edda takes any method", lambda site: site("PUT", "/", content=json.dumps(whole()), headers=JSON), 405),
    ("Edda takes GET", lambda site: site("GET", "/"), 405),
    ("Edda takes any path", lambda site: post(site, whole(), route="/any/path"), 404),
    ("Romancy accepts an event without an id", lambda site: post(site, {k: v for k, v in whole().items() if k != "id"}), 400),
    ("Romancy accepts one without a source", lambda site: post(site, whole(source=None)), 400),
    ("Romancy accepts one without specversion", lambda site: post(site, whole(specversion=None)), 400),
    ("Romancy accepts any specversion", lambda site: post(site, whole(specversion="9")), 400),
    ("an event that nobody wants is kept all the same", lambda site: post(site, whole(type="unknown")), 202),
    ("both take ten megabytes", lambda site: post(site, whole(data="x" * 10_000_000)), 413),
    ("neither answers 415", lambda site: post(site, whole(), {"content-type": "text/plain"}), 415),
    ("neither decodes percents, so neither refuses them", lambda site: post(site, None, BINARY | {"ce-x": "%"}), 400),
    ("Edda drops a list", lambda site: post(site, whole(data=[1, 2])), 202),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "status"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_the_status_is_right(ask, status, site):
    reply = ask(site)
    assert reply.status_code == status
    if status >= 400:
        assert reply.json()["retryable"] is False, "Romancy says the text 'false'"
        assert set(reply.json()) == {"error", "error_type", "retryable"}
    assert not reply.is_redirect


def test_edda_and_romancy_deliver_a_duplicate_again(engine, registry, site):
    @registry.workflow
    def both():
        first = litewf.wait_event("paid", timeout=20).data
        return first, litewf.wait_event("paid", timeout=0, default="no other")

    handle = engine.start_workflow(both)
    post(site, whole(data="one"))
    post(site, whole(data="again"))
    assert handle.get_result(timeout=20) == ("one", "no other")


def test_edda_loses_an_event_that_comes_before_the_wait(engine, registry, site):
    @registry.workflow
    def late():
        litewf.recv(timeout=20)
        return litewf.wait_event("paid", timeout=0).data

    handle = engine.start_workflow(late)
    post(site, whole(data="early"))
    engine.send(handle.workflow_id, "go on")
    assert handle.get_result(timeout=20) == "early"


def test_romancy_drops_the_subject_and_the_content_type(engine, site, received):
    handle = engine.start_workflow(received)
    post(site, whole(subject="s", datacontenttype="application/json", data=1))
    event = handle.get_result(timeout=20)
    assert (event.subject, event.datacontenttype) == ("s", "application/json")


def test_neither_keeps_every_extension_and_the_schema(engine, site, received):
    handle = engine.start_workflow(received)
    post(site, whole(dataschema="urn:schema", traceparent="00-1", tracestate="a=b"))
    event = handle.get_result(timeout=20)
    assert (event.dataschema, event.extensions) == ("urn:schema", {"traceparent": "00-1", "tracestate": "a=b"})


def test_both_say_202_before_anything_is_stored(path, registry):
    """Here it is a refusal that says when to come back, as soon as nothing can be stored."""
    engine = litewf.Engine(path, registry=registry)
    site = Site(asgi_app(engine))
    with engine:
        pass
    reply = post(site, whole())
    assert (reply.status_code, reply.json()["retryable"], reply.headers["retry-after"]) == (503, True, "1")


def test_edda_says_nothing_of_its_health(site):
    assert [site.get(f"/health/{what}").status_code for what in ("live", "ready")] == [200, 200]

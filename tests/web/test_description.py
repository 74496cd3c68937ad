"""The description and the application are one: every route is in it, and everything that it allows can be sent."""

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route

import litewf
from litewf.web import asgi_app
from litewf.web.parameters import TEXT
from litewf.web.routes import TABLE
from tests.web.visits import Site

EXAMPLES = 25  # of each operation and mode
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = {operation.name: operation for operation in TABLE}


def document(site):
    return site.get("/openapi.json").json()


def test_every_route_is_described_and_every_description_has_a_route(site):
    routed = {route.path for route in site.app.routes if isinstance(route, Route)}
    assert set(document(site)["paths"]) == routed


@pytest.mark.parametrize("operation", TABLE, ids=lambda operation: operation.name)
def test_an_operation_is_answered_where_it_is_described(operation, site):
    described = document(site)["paths"][operation.path]
    assert described[operation.method.lower()]["operationId"] == operation.name
    route = operation.path.replace("{id}", "none").replace("{key}", "k")
    assert site(operation.method, route).status_code != 405
    assert site("DELETE", route).headers["allow"].replace(", HEAD", "").lower() == ", ".join(sorted(described))


def test_parameters_in_the_path_are_described(site):
    for path, methods in document(site)["paths"].items():
        for described in methods.values():
            listed = [one["name"] for one in described["parameters"] if one["in"] == "path"]
            assert listed == re.findall(r"{(\w+)}", path)


def test_names_of_operations_are_unique_and_shapes_of_paths_too(site):
    assert len(OPERATIONS) == len(TABLE)
    shapes = [re.sub(r"{\w+}", "{}", path) for path in document(site)["paths"]]
    assert len(set(shapes)) == len(shapes)


def test_a_token_is_described_where_it_is_needed(engine):
    described = document(Site(asgi_app(engine, token="t")))
    for path, methods in described["paths"].items():
        for operation in methods.values():
            is_open = path.startswith("/health") or path == "/openapi.json"
            assert ("security" not in operation, "401" not in operation["responses"]) == (is_open, is_open)


def test_a_mounted_application_says_where_it_is(engine):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    site = Site(Starlette(routes=[Mount("/flows/v1", app=asgi_app(engine))]))
    assert site.get("/flows/v1/openapi.json").json()["servers"] == [{"url": "/flows/v1"}]
    assert site.get("/flows/v1/workflows").json() == {"workflows": []}
    assert site.get("/flows/v1/workflows/a%2Fb").json()["error"].startswith("there is no workflow 'a/b'")
    assert site.post("/flows/v1/", json={}).status_code == 415


@pytest.fixture
def schema(engine, registry):
    """Only workflows that end: what waits for ever is waited for, for as long as the description allows."""

    @registry.workflow(name="echo")
    def echo(*args, **kwargs):
        litewf.write_stream("k", [args, kwargs])
        litewf.set_event("k", kwargs)
        return args

    @registry.workflow(name="fail")
    def fail():
        raise ValueError("no")

    engine.run_workflow(echo.with_options(workflow_id="done", attributes={"a": 1}), 1, two=2)
    return schemathesis.openapi.from_asgi("/openapi.json", asgi_app(engine, max_body=50_000))


KNOWN = {"id": ["done", "echo", "fail"], "key": ["k"]}


RIGHT = [pytest.param(name, GenerationMode.POSITIVE, id=f"{name} as described") for name in OPERATIONS]
WRONG = [
    pytest.param(operation.name, GenerationMode.NEGATIVE, id=f"{operation.name} otherwise")
    for operation in TABLE
    if any(parameter.kind is not TEXT for parameter in operation.parameters)  # else nothing could be wrong
]


@pytest.mark.parametrize(("name", "mode"), RIGHT + WRONG)
def test_whatever_is_sent_is_answered_as_described_and_never_with_500(name, mode, schema):
    operation = schema[OPERATIONS[name].path][OPERATIONS[name].method]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def send(case, data):
        for parameter, values in KNOWN.items():
            if parameter in (case.path_parameters or {}) and data.draw(st.sampled_from((True, True, True, False))):
                case.path_parameters[parameter] = data.draw(st.sampled_from(values))
        case.call_and_validate(checks=CHECKS)

    send()


def test_the_description_is_openapi_3_1(site):
    """As far as its own rules can be told without its whole schema: versions, references, JSON."""
    described = document(site)
    assert described["openapi"] == "3.1.0"
    assert json.loads(json.dumps(described)) == described
    for methods in described["paths"].values():
        for operation in methods.values():
            assert all(re.fullmatch(r"[1-5]\d\d", status) for status in operation["responses"])
            assert all(reply["description"] for reply in operation["responses"].values())

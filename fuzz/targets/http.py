"""Requests of every route with what no client should send: an answer in good order, never a fault of the program."""

from __future__ import annotations

import json
import random
from urllib.parse import quote

from fuzz.case import Case
from fuzz.site import MAX_BODY, Site, served
from litewf.web.routes import TABLE

REQUESTS = 30
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "get")
TEXTS = ("echo", "echo-1", "patient", "patient-1", "said", "out", "topic", "", " ", "a" * 300, "x~1", "a/b", "../../etc/passwd", "\0",
         "\r\n", "é", "e\u0301", "\u202e", "\U0001f600", "%", "'; DROP TABLE workflow; --", "%_", "workflow:echo-1", "001", "None",
         "litewf.sleep", "__class__", "{}", "🏁" * 100)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "-1",
    "0.5",
    "1e3",
    "1e999",
    "nan",
    "inf",
    "-inf",
    "9" * 30,
    "0x10",
    "1_000",
    "\u0661",
    "",
    " 1",
    "true",
    "5s",
    "1e-9",
)
FLAGS = ("true", "false", "1", "0", "yes", "", "TRUE", "null")
MOMENTS = (
    "2030-01-01T00:00:00Z",
    "2030-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "now",
    "1e10",
    "2030-13-01T00:00:00Z",
)
BODIES = (b"", b"{}", b"null", b"[]", b'"x"', b"1", b'{"args":[1],"kwargs":{"a":2}}', b'{"args":1}', b'{"kwargs":[]}', b'{"a":NaN}',
          b'{"args":[],"kwargs":{},"more":1}', b'{"a":1,"a":2}', b"{", b"\xff", b'"\\ud800"', b'{"$error":{}}', b"[" * 5_000,
          b'{"$dict":[[1,2]]}', b"1" * 5_000, b'{"":1}', b'{"self":1}', b'"' + b"x" * (2 * MAX_BODY) + b'"')  # fmt: skip
MEDIA = (
    b"application/json",
    b"application/json; charset=latin-1",
    b"text/plain",
    b"application/vnd.a+json",
    b"",
    b";",
    b"multipart/form-data",
)
ROUTES = (
    ("GET", "/workflows"), ("POST", "/workflows/{id}"), ("GET", "/workflows/{id}"), ("GET", "/workflows/{id}/steps"),
    ("GET", "/workflows/{id}/result"), ("POST", "/workflows/{id}/cancel"), ("POST", "/workflows/{id}/resume"),
    ("POST", "/workflows/{id}/messages"), ("GET", "/workflows/{id}/events"), ("GET", "/workflows/{id}/events/{key}"),
    ("GET", "/workflows/{id}/streams/{key}"), ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/openapi.json"),
    ("GET", "/nowhere"), ("GET", ""), ("GET", "//"), ("GET", "/workflows/"), ("GET", "/workflows/{id}/{key}"),
)  # fmt: skip
BRIEF = ("0", "0.01", "-1", "nan", "1e-9", "", "x", "-inf")  # how long a request may wait, and what is no time
PARAMETERS = {
    "name": TEXTS, "status": ("PENDING", "pending", "NONE", ""), "workflow_ids": TEXTS, "workflow_id_prefix": TEXTS, "held": FLAGS,
    "parent_id": TEXTS, "forked_from": TEXTS, "user": TEXTS, "attributes": ("{}", "[]", '{"a":1}', "{", '{"a":{"b":[1]}}', "NaN"),
    "start_time": MOMENTS, "end_time": MOMENTS, "completed_after": MOMENTS, "limit": NUMBERS, "offset": NUMBERS, "sort_desc": FLAGS,
    "load_input": FLAGS, "load_output": FLAGS, "workflow_id": TEXTS, "topic": TEXTS, "follow": ("false", "nonsense"), "nothing": TEXTS,
    "recorded_only": FLAGS, "timeout": BRIEF, "wait": BRIEF,
}  # fmt: skip
KNOWN = {operation.path: {each.name for each in operation.parameters} for operation in TABLE}
HEADERS = {"workflow-id": TEXTS, "workflow-timeout": NUMBERS, "prefer": ("wait", "wait=0", "wait=-1", "wait=x", "respond-async, wait=0"),
           "idempotency-key": TEXTS, "last-event-id": NUMBERS, "authorization": ("Bearer x", "Basic", ""), "accept": ("*/*", "x")}  # fmt: skip


def run(case: Case) -> None:
    """Requests one after the other to one engine, which at the end is as well as ever."""
    with served(case) as site:
        for _ in range(REQUESTS):
            _request(case, site)
        alive = site.ask("POST", "/workflows/echo?wait=20", [(b"content-type", b"application/json")], [b'{"args":[7]}'])
        assert (alive.status, json.loads(alive.text).get("output")) == (200, [[7], {}]), alive.text


def _request(case: Case, site: Site) -> None:
    chance = case.chance
    method, route = chance.choice(ROUTES)
    if chance.random() < 0.1:
        method = chance.choice(METHODS)
    target = _filled(chance, route) + _query(chance, route)
    headers = [
        (name.encode(), _header(chance.choice(values))) for name, values in HEADERS.items() if chance.random() < 0.08
    ]
    if chance.random() < 0.8:
        headers.append((b"content-type", b"application/json" if chance.random() < 0.8 else chance.choice(MEDIA)))
    headers = [one for one in headers if one != (b"prefer", b"wait")]  # it waits half a minute
    answer = site.ask(method, target, headers, [chance.choice(BODIES)] if method == "POST" else [])
    case.met(
        f"{method} {route} answered {answer.status}" if (method, route) in ROUTES else f"odd method: {answer.status}"
    )


def _filled(chance: random.Random, route: str) -> str:
    """The route, with names in it that exist, or do not, or could not."""
    known = {"{id}": ("echo-1", "patient-1", "echo"), "{key}": ("said", "out")}
    for part, names in known.items():
        text = chance.choice(names if chance.random() < 0.5 else TEXTS)
        route = route.replace(part, chance.choice([quote(text, safe=""), quote(text, safe=""), text.replace("?", "")]))
    return route


def _query(chance: random.Random, route: str) -> str:
    odds = {name: 0.15 if (name in KNOWN.get(route, ())) else 0.004 for name in PARAMETERS}
    given = {name: chance.choice(PARAMETERS[name]) for name in PARAMETERS if chance.random() < odds[name]}
    if "streams" in route:
        given["follow"] = "false"  # else it would be followed until the workflow ends
    pairs = [f"{name}={quote(value) if chance.random() < 0.9 else value}" for name, value in given.items()]
    pairs += chance.choices(pairs, k=1) if pairs and chance.random() < 0.1 else []
    return f"?{'&'.join(pairs)}" if pairs else ""


def _header(value: str) -> bytes:
    return "".join(each for each in value if each not in "\r\n\0").encode()

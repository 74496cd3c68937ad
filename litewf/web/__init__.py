"""litewf over HTTP: an ASGI application to mount, or to run with `litewf serve`.

    app.py         puts it together; server.py runs it with its engine in one process
    routes.py      every route, one table; openapi.py and schemas.py describe the application from it
    resource.py    one path: its methods, its errors; segments.py lets ids hold a slash, guard.py asks for the token
    events.py      CloudEvents come in; incoming.py reads them, strictly
    workflows.py   start, look, talk, steer; streams.py follows streams as server-sent events
    parameters.py  what stands in queries, headers and paths; bodies.py what stands in bodies
    service.py     what a handler needs, and how values are shown; failures.py how errors are
    patience.py    waiting for as long as the client is there

Only here are starlette and cloudevents imported, the extra `web`; nothing of litewf but the command line imports this
package. A value is shown as the JSON that litewf records, without its type tags: a dataclass as its fields, a datetime
as ISO text, bytes as base64, a tuple or a set as a list. So does `wait_event(where=)` see it.
"""

from __future__ import annotations

try:
    from litewf.web.app import asgi_app
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] not in ("starlette", "cloudevents"):
        raise
    raise ModuleNotFoundError(
        f"litewf.web needs the package {missing.name}: pip install 'litewf[web]'", name=missing.name
    ) from missing

__all__ = ["asgi_app"]

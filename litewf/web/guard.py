"""Who may ask: a bearer token, compared in constant time, or nobody's web page."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from litewf.web.failures import Refusal

CHALLENGE = 'Bearer realm="litewf"'


def check(request: Request, token: bytes | None) -> None:
    """Refuse a request without the token; without one to ask for, refuse what another web site makes a browser do."""
    if token is None:
        if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site") == "cross-site":
            raise Refusal(403, "CrossSiteRequest", "another web site may not do this; serve with a token to allow it")
        return
    given = request.headers.getlist("authorization")
    if not given:
        raise Refusal(401, "Unauthorized", "a bearer token is needed", {"www-authenticate": CHALLENGE})
    scheme, _, credentials = given[0].partition(" ")
    right = hmac.compare_digest(credentials.strip().encode("latin-1"), token)
    if len(given) > 1 or scheme.lower() != "bearer" or not right:
        challenge = f'{CHALLENGE}, error="invalid_token"'
        raise Refusal(401, "Unauthorized", "this is not the token", {"www-authenticate": challenge})

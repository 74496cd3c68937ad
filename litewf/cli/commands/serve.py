"""`litewf serve`: run the workflows of a module, and serve them over HTTP."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from litewf.api.engine import Engine
from litewf.cli.exits import USAGE, Failure
from litewf.cli.files import usage_errors
from litewf.cli.logs import LogLevel, log_to_stderr
from litewf.cli.options import DEFAULT_DB, Db
from litewf.cli.programs import PARAMETER, registry_of
from litewf.cli.telemetry import Telemetry, watched

PACKAGES = ("starlette", "uvicorn", "cloudevents")


def serve(
    target: Annotated[
        str, typer.Argument(metavar=PARAMETER, help="Where the workflows are; without a name, the default.")
    ],
    *,
    db: Db = DEFAULT_DB,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 takes a free one.")] = 8080,
    token: Annotated[
        str | None, typer.Option(envvar="LITEWF_TOKEN", metavar="TEXT", help="The bearer token that clients must send.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let other machines in without a token.")] = False,
    telemetry: Telemetry = False,
    log_level: LogLevel = "warning",
) -> None:
    """Run the workflows of a module, and serve them over HTTP until SIGINT or SIGTERM.

    GET /openapi.json describes the routes. Other machines may come in only with a token, or with --insecure.
    """
    if token is None and not insecure and not _is_loopback(host):
        raise typer.BadParameter(
            f"other machines can reach {host}: give a --token (or LITEWF_TOKEN), or say --insecure", param_hint="--host"
        )
    run = _load_server()
    registry = registry_of(target)
    log_to_stderr(log_level)
    with usage_errors():
        run(
            watched(Engine(db, registry=registry), telemetry=telemetry),
            host=host,
            port=port,
            token=token,
            ready=lambda address: _say(f"litewf serves {target} at {address} (described at /openapi.json)"),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _load_server() -> Callable[..., None]:
    try:
        from litewf.web import server  # noqa: PLC0415 - an extra, which the other commands do without
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in PACKAGES:
            raise
        raise Failure(f"serving needs the package {missing.name}: pip install 'litewf[web]'", USAGE) from None
    return server.serve


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()

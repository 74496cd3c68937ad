"""An engine and its HTTP side in one process, on one event loop, until a signal ends both."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from litewf.api.engine import Engine
from litewf.web.app import asgi_app

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(engine: Engine, *, host: str, port: int, token: str | None, ready: Callable[[str], None]) -> None:
    """Launch the engine and serve it until SIGINT or SIGTERM; `ready` is called with the address."""
    config = uvicorn.Config(
        asgi_app(engine, token=token), host=host, port=port, lifespan="off", log_level="warning", server_header=False
    )

    async def run() -> None:
        async with engine:
            await EngineServer(config, engine, ready).serve()

    asyncio.run(run())


class EngineServer(uvicorn.Server):
    """A server that closes its engine first: open streams and waits end, and no connection is waited for in vain."""

    def __init__(self, config: uvicorn.Config, engine: Engine, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._engine = engine
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            name, port, *_ = self.servers[0].sockets[0].getsockname()
            self._ready(f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = asyncio.create_task(self._engine.shutdown_async())
        await super().shutdown(sockets)
        await closing

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End in order, with exit status 0; uvicorn would raise the signal again."""
        loop = asyncio.get_running_loop()
        for each in SIGNALS:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in SIGNALS:
                loop.remove_signal_handler(each)

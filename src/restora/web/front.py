"""The page, served while the rest is still being loaded: torch takes seconds, the page none.

/, /static   at once
all else     by the application of `app.py`, as soon as it is there
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from restora.web.guard import Guard

if TYPE_CHECKING:
    from restora.web.service import Service

STATIC = Path(__file__).parent / "static"


class Front:
    """ASGI application. make: gives the service, in a thread of its own. names: hosts by which the server may
    be called, beside its own. failed: called when there is no service, for the reason `error`."""

    def __init__(
        self,
        make: Callable[[], Service],
        names: Iterable[str] = (),
        failed: Callable[[], None] = lambda: None,
    ):
        self.make, self.failed = make, failed
        self.service: Service | None = None
        self.error: Exception | None = None
        self._ready: asyncio.Future[ASGIApp]
        routes = [Route("/", _page), Mount("/static", StaticFiles(directory=STATIC))]
        app = Starlette(routes=routes, lifespan=self._living)
        app.router.default = self._rest
        self._guarded = Guard(app, names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guarded(scope, receive, send)

    def hang_up(self) -> None:
        """End all streams, which the server would wait for; in the thread of the event loop."""
        if self.service is not None:
            self.service.hang_up()

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = await asyncio.shield(self._ready)
        await app(scope, receive, send)

    @asynccontextmanager
    async def _living(self, app: Any) -> AsyncIterator[None]:
        self._ready = asyncio.get_running_loop().create_future()
        ended = asyncio.Event()
        life = asyncio.create_task(self._serve(ended))
        try:
            yield
        finally:
            ended.set()
            if not self._ready.done():
                life.cancel()
            await asyncio.gather(life, return_exceptions=True)

    async def _serve(self, ended: asyncio.Event) -> None:
        """Make the service, and keep it running until the end."""
        loop = asyncio.get_running_loop()
        made: asyncio.Future[ASGIApp] = loop.create_future()
        # A daemon: who stops the server does not wait for torch.
        threading.Thread(target=self._make, args=(loop, made), daemon=True).start()
        try:
            app = await made
        except Exception as error:
            self.error = error
            self._ready.cancel()
            self.failed()
            return
        assert self.service is not None
        async with self.service.running():
            self._ready.set_result(app)
            await ended.wait()

    def _make(self, loop: asyncio.AbstractEventLoop, made: asyncio.Future[ASGIApp]) -> None:
        try:
            settle = partial(made.set_result, self._made())
        except Exception as error:
            settle = partial(made.set_exception, error)
        try:
            loop.call_soon_threadsafe(lambda: None if made.done() else settle())
        except RuntimeError:  # the server has ended
            if self.service is not None:
                self.service.close()

    def _made(self) -> ASGIApp:
        from restora.web.app import make_app

        self.service = self.make()
        return make_app(self.service)


async def _page(call: Request) -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

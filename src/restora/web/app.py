"""The application: the interface, the page, and who may call them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from restora import __version__
from restora.errors import RestoraError
from restora.web import restorations, routes, words
from restora.web.guard import Guard
from restora.web.limits import LimitError
from restora.web.service import Service

STATIC = Path(__file__).parent / "static"


def make_app(service: Service, names: Iterable[str] = ()) -> FastAPI:
    """names: hosts by which the server may be called, beside its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    app = FastAPI(
        title="restora",
        version=__version__,
        description="Restore pictures. Errors are {'error': one line}.",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, names=names)
    app.include_router(routes.router)
    app.include_router(restorations.router)
    app.add_exception_handler(RestoraError, _refused)
    app.add_exception_handler(RequestValidationError, _misread)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


async def _refused(call: Request, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, LimitError) else 422
    folder = call.app.state.service.folder
    return JSONResponse({"error": words.spoken(str(error), folder)}, status)


async def _misread(call: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"error": f"{where}: {first['msg'].lower()}"}, 422)

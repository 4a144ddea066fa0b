"""The application: the interface. The page, and who may call both, is `front.py`."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from restora import __version__
from restora.errors import RestoraError
from restora.web import restorations, routes, words
from restora.web.limits import LimitError
from restora.web.service import Service


def make_app(service: Service) -> FastAPI:
    app = FastAPI(
        title="restora",
        version=__version__,
        description="Restore pictures. Errors are {'error': one line}.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's pages load their scripts from another host
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(routes.router)
    app.include_router(restorations.router)
    app.add_exception_handler(RestoraError, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
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

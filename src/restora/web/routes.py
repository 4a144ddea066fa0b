"""The HTTP interface, below /api: visits, pictures and their masks, restorations."""

from __future__ import annotations

import asyncio
import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as Call
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, StreamingResponse

from restora import __version__
from restora.web import events, examples, pictures, views, words
from restora.web.limits import LimitError
from restora.web.pictures import Upload
from restora.web.requests import JobFacts, MaskRead, Picture
from restora.web.service import Service
from restora.web.uploading import receive
from restora.web.visits import Visit

router = APIRouter(prefix="/api")
BYTES = {
    "requestBody": {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}


def service_of(call: Call) -> Service:
    return call.app.state.service


Own = Annotated[Service, Depends(service_of)]


def visit_of(visit: str, service: Own) -> Visit:
    found = service.visits.get(visit)
    if found is None:
        raise LimitError("this visit has ended; reload the page", 404)
    return found


Of = Annotated[Visit, Depends(visit_of)]


def picture_of(picture: str, visit: Of) -> Upload:
    return visit.picture(picture)


OfPicture = Annotated[Upload, Depends(picture_of)]
Name = Annotated[str, Query(max_length=255, description="of the file")]


@router.get("/about")
def about(service: Own) -> dict[str, Any]:
    """What this server can do: tasks with their options, methods, examples, limits."""
    limits = service.limits
    running, waiting = service.queue.load
    return {
        "version": __version__,
        "tasks": words.tasks(),
        "faces": words.faces(),
        "methods": words.methods(),
        "priors": words.priors(),
        "limits": {name: getattr(limits, name) for name in ("megabytes", "megapixels", "pictures")},
        "queue": {"running": running, "waiting": waiting},
        "examples": [{"name": e.name, "title": e.title, "credit": e.credit} for e in examples.EXAMPLES],
    }


@router.get("/examples/{name}.jpg", response_class=Response)
def example_thumbnail(name: str) -> Response:
    """A small picture of an example."""
    example = examples.find(name)
    if example is None:
        raise LimitError(f"there is no example {name!r}", 404)
    cached = {"Cache-Control": "max-age=86400"}
    return Response(examples.thumbnail(example), media_type="image/jpeg", headers=cached)


@router.post("/visits", status_code=201)
def begin(service: Own) -> dict[str, str]:
    """Begin a visit; its id is part of all other addresses, and a secret of the visitor."""
    return {"visit": service.visits.begin().id}


@router.delete("/visits/{visit}", status_code=204)
@router.post("/visits/{visit}/end", status_code=204)
def end(visit: Of, service: Own) -> None:
    """End a visit: its work stops, and all its files are removed."""
    service.visits.end(visit)


@router.get("/visits/{visit}/events", response_class=StreamingResponse)
async def follow(visit: Of) -> StreamingResponse:
    """Server-sent events: `job`, where a restoration stands, and `preview`, an intermediate picture as a data
    URL. While a stream is open, the visitor is there."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events.stream(visit), media_type="text/event-stream", headers=headers)


@router.post("/visits/{visit}/pictures", status_code=201, openapi_extra=BYTES)
async def upload(call: Call, visit: Of, service: Own, name: Name = "picture") -> Picture:
    """Upload a picture: the bytes of its file, as the body."""
    if len(visit.pictures) >= service.limits.pictures:
        raise LimitError(
            f"at most {service.limits.pictures} images in one visit; reload the page to start again"
        )
    id, folder = visit.new_folder("pictures")
    path = folder / pictures.safe_name(name)
    try:
        await receive(call, path, visit, service.limits)
        found = await run_in_threadpool(pictures.receive, id, path, service.limits)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    visit.pictures[id] = found
    return found.told()


@router.post("/visits/{visit}/examples/{name}", status_code=201)
def take_example(visit: Of, service: Own, name: str) -> Picture:
    """Take one of the examples as a picture, with its mask if it has one."""
    example = examples.find(name)
    if example is None:
        raise LimitError(f"there is no example {name!r}", 404)
    data, mask = examples.made(example)
    id, folder = visit.new_folder("pictures")
    path = folder / example.file
    path.write_bytes(data)
    found = visit.pictures[id] = pictures.receive(id, path, service.limits)
    if mask:
        found.mask.parent.mkdir(exist_ok=True)
        found.mask.write_bytes(mask)
    return found.told()


@router.get("/visits/{visit}/pictures/{picture}/view", response_class=FileResponse)
def view(picture: OfPicture, service: Own) -> FileResponse:
    """The picture, in a format that browsers show."""
    path, media = views.shown(picture.path, service.limits.pixels)
    return FileResponse(path, media_type=media)


@router.delete("/visits/{visit}/pictures/{picture}", status_code=204)
def drop(visit: Of, picture: OfPicture) -> None:
    """Remove a picture and its mask."""
    visit.pictures.pop(picture.id, None)
    shutil.rmtree(picture.path.parent, ignore_errors=True)


@router.put("/visits/{visit}/pictures/{picture}/mask", openapi_extra=BYTES)
async def put_mask(
    call: Call, visit: Of, picture: OfPicture, service: Own, name: Name = "mask.png"
) -> MaskRead:
    """Say what is missing: the bytes of a mask file of the size or proportion of the picture, white where
    it is missing, or painted over a copy of the picture."""
    _, folder = visit.new_folder("masks")
    path = folder / pictures.safe_name(name)
    try:
        await receive(call, path, visit, service.limits)
        return await run_in_threadpool(pictures.read_mask, picture, path, service.limits)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)


@router.get("/visits/{visit}/pictures/{picture}/mask", response_class=FileResponse)
def get_mask(picture: OfPicture, proposed: bool = False) -> FileResponse:
    """The mask, white where the picture is missing; or what is proposed, where scratches were found."""
    path = picture.proposed if proposed else picture.mask
    if not path.exists():
        raise LimitError("this picture has no such mask", 404)
    return FileResponse(path, media_type="image/png")


__all__ = ["JobFacts", "router"]

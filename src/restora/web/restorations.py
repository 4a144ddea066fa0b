"""The HTTP interface of restorations: ask for one, follow it, stop it, take its results."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse

from restora.web import pictures, views
from restora.web.jobs import Done, Job
from restora.web.limits import LimitError
from restora.web.requests import JobFacts, Picture, Request
from restora.web.routes import Of, Own
from restora.web.work import LARGEST

router = APIRouter(prefix="/api/visits/{visit}/jobs")


def job_of(job: str, visit: Of) -> Job:
    if job not in visit.jobs:
        raise LimitError("this restoration is no longer here", 404)
    return visit.jobs[job]


OfJob = Annotated[Job, Depends(job_of)]


@router.post("", status_code=202)
def submit(visit: Of, service: Own, request: Request) -> JobFacts:
    """Queue a restoration. The same again, while it waits or runs, is the same; another is refused (409)."""
    return JobFacts(**service.submit(visit, request).facts())


@router.get("/{job}")
def look(job: OfJob) -> JobFacts:
    """Where it stands, and its results once it is done."""
    return JobFacts(**job.facts())


@router.delete("/{job}")
def cancel(job: OfJob, service: Own) -> JobFacts:
    """Stop it, in the queue or in the middle of its work."""
    if job.is_open:
        service.queue.cancel(job)
    return JobFacts(**job.facts())


def _result(job: Job, item: int, number: int) -> tuple[Done, Path]:
    if not (0 <= item < len(job.items) and 0 <= number < len(job.items[item].results)):
        raise LimitError("there is no such result", 404)
    done = job.items[item]
    return done, job.outputs / done.results[number]


@router.get("/{job}/items/{item}/results/{number}", response_class=FileResponse)
def download(job: OfJob, item: int, number: int) -> FileResponse:
    """A result, in the format and depth of the picture, with its metadata."""
    _, path = _result(job, item, number)
    return FileResponse(path, filename=path.name)


@router.get("/{job}/items/{item}/results/{number}/view", response_class=FileResponse)
def view(job: OfJob, service: Own, item: int, number: int, side: int = 0) -> FileResponse:
    """A result in a format that browsers show; of at most `side` pixels a side, if that is given."""
    _, path = _result(job, item, number)
    most = service.limits.pixels * LARGEST**2
    if side:
        return FileResponse(views.small(path, min(max(side, 16), 1024), most), media_type="image/jpeg")
    shown, media = views.shown(path, most)
    return FileResponse(shown, media_type=media)


@router.get("/{job}/items/{item}/map", response_class=FileResponse)
def uncertainty(job: OfJob, item: int) -> FileResponse:
    """How sure each pixel is, in colours from 0 to `scale` of the item."""
    done, _ = _result(job, item, 0)
    if not done.map:
        raise LimitError("the uncertainty was not requested", 404)
    return FileResponse(job.outputs / done.map, media_type="image/png")


@router.post("/{job}/items/{item}/results/{number}/picture", status_code=201)
def go_on(visit: Of, job: OfJob, service: Own, item: int, number: int) -> Picture:
    """Take a result as a picture, to restore it further."""
    _, path = _result(job, item, number)
    id, folder = visit.new_folder("pictures")
    os.link(path, folder / path.name)
    found = visit.pictures[id] = pictures.receive(id, folder / path.name, service.limits)
    return found.told()


@router.get("/{job}/results.zip", response_class=Response)
def archive(job: OfJob) -> FileResponse:
    """All results."""
    files = [job.outputs / name for done in job.items for name in done.results]
    if not files:
        raise LimitError("there are no results yet", 404)
    path = job.folder / "results.zip"
    with zipfile.ZipFile(path, "w") as target:
        for file in files:
            target.write(file, file.relative_to(job.outputs))
    return FileResponse(path, media_type="application/zip", filename="restored.zip")

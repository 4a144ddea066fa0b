"""A request's body to a file, no more of it than is allowed."""

from __future__ import annotations

from pathlib import Path

from fastapi import Request

from restora.web.limits import LimitError, Limits
from restora.web.visits import Visit


async def receive(call: Request, path: Path, visit: Visit, limits: Limits) -> None:
    """LimitError for too many bytes, as soon as that is known."""
    said = call.headers.get("content-length", "")
    if said.isdecimal():
        limits.check_bytes(int(said), path.name)
    if visit.bytes > limits.visit_megabytes * 1e6:
        raise LimitError(
            "the images and results of this visit take too much space; reload the page to start again"
        )
    count = 0
    with path.open("wb") as file:
        async for chunk in call.stream():
            count += len(chunk)
            limits.check_bytes(count, path.name)
            file.write(chunk)
    if not count:
        raise LimitError(f"{path.name} is empty; expected a picture", 422)

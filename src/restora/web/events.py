"""Server-sent events of a visit: what has changed since the last; nothing piles up behind slow readers."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator

from restora.web.visits import Visit

ALIVE = 5.0  # seconds between signs of life


async def stream(visit: Visit) -> AsyncIterator[str]:
    changed, versions, previews = asyncio.Event(), dict[str, int](), dict[str, int]()
    visit.streams.add(changed)
    try:
        yield "retry: 1000\n\n"
        while not visit.ended:
            changed.clear()
            for job in list(visit.jobs.values()):
                version, number, preview = job.version, job.previews, job.preview
                if versions.get(job.id) != version or job.id not in versions:
                    versions[job.id] = version
                    yield _event("job", job.facts())
                if preview and previews.get(job.id, 0) != number:
                    previews[job.id] = number
                    url = f"data:image/jpeg;base64,{base64.b64encode(preview).decode()}"
                    yield _event("preview", {"id": job.id, "number": number, "picture": url})
            try:
                await asyncio.wait_for(changed.wait(), ALIVE)
            except TimeoutError:
                yield ": alive\n\n"
    finally:
        visit.streams.discard(changed)
        visit.seen = time.monotonic()


def _event(kind: str, content: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(content)}\n\n"

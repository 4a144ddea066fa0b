"""What a page does, by the HTTP interface, on small pictures and with a method that needs no network."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

OPEN = ("waiting", "running")


def png(pixels: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def photo(height: int = 48, width: int = 64) -> np.ndarray:
    """(H, W, 3) uint8: smooth, no two rows or columns alike."""
    row, column = np.mgrid[0:height, 0:width]
    return np.stack([2 * row + column, 255 - 2 * column, row + 2 * column], 2).clip(0, 255).astype(np.uint8)


def hole(height: int = 48, width: int = 64) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[10:20, 20:34] = 255
    return mask


class Visitor:
    """What a page does, by the HTTP interface."""

    def __init__(self, client: TestClient):
        self.client = client
        self.root = f"/api/visits/{client.post('/api/visits').json()['visit']}"

    def upload(self, data: bytes, name: str = "photo.png") -> Any:
        return self.client.post(f"{self.root}/pictures", params={"name": name}, content=data)

    def picture(self, data: bytes | None = None, name: str = "photo.png") -> str:
        return str(self.upload(data or png(photo()), name).json()["id"])

    def mask(self, picture: str, data: bytes | None = None) -> Any:
        return self.client.put(f"{self.root}/pictures/{picture}/mask", content=data or png(hole()))

    def submit(self, picture: str, task: str = "inpaint", **more: Any) -> Any:
        steps = [{"task": task, "options": more.pop("options", {})}]
        mask = picture if task == "inpaint" else None
        body = {"pictures": [picture], "steps": steps, "mask": mask, "method": "biharmonic", **more}
        return self.client.post(f"{self.root}/jobs", json=body)

    def look(self, job: str) -> dict[str, Any]:
        return dict(self.client.get(f"{self.root}/jobs/{job}").json())

    def wait(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """Until it has ended."""
        end = time.monotonic() + seconds
        while (found := self.look(job))["state"] in OPEN:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found

    def restore(self, picture: str, task: str = "inpaint", **more: Any) -> dict[str, Any]:
        return self.wait(self.submit(picture, task, **more).json()["id"])

    def result(self, job: dict[str, Any], number: int = 0, item: int = 0) -> Any:
        return self.client.get(f"{self.root}/jobs/{job['id']}/items/{item}/results/{number}")

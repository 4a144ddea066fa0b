"""Many visitors of `restora serve` at once: is each answered or queued, and does memory stay flat?

    python benchmarks/visitors.py [--visitors 32] [--minutes 2]

Starts a server on loopback and measures: seconds to the first page; a 512x512 inpainting, to its first
progress, its first intermediate picture and its end; seconds from Cancel until the next restoration runs;
then VISITORS that upload, paint, restore and download again and again for MINUTES, with the server's memory
every five seconds. Every answer that is neither a result nor a place in the queue is counted as a failure.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import numpy as np
from PIL import Image


class Visitor:
    def __init__(self, url: str):
        self.http = httpx.Client(base_url=url, timeout=60)
        self.root = f"/api/visits/{self._json('POST', '/api/visits')['visit']}"

    def _json(self, method: str, path: str, **more: Any) -> Any:
        answer = self.http.request(method, path, **more)
        answer.raise_for_status()
        return answer.json()

    def upload(self, data: bytes, mask: bytes) -> str:
        path = f"{self.root}/pictures"
        picture = str(self._json("POST", path, params={"name": "photo.png"}, content=data)["id"])
        self._json("PUT", f"{path}/{picture}/mask", content=mask)
        return picture

    def submit(self, picture: str, **more: Any) -> str:
        body = {"pictures": [picture], "steps": [{"task": "inpaint"}], "mask": picture, **more}
        return str(self._json("POST", f"{self.root}/jobs", json=body)["id"])

    def look(self, job: str) -> dict[str, Any]:
        return dict(self._json("GET", f"{self.root}/jobs/{job}"))

    def cancel(self, job: str) -> None:
        self._json("DELETE", f"{self.root}/jobs/{job}")

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.http.stream("GET", f"{self.root}/events") as stream:
            kind = ""
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield kind, json.loads(line[6:])


def pictures(side: int) -> tuple[bytes, bytes]:
    """A photograph and scratches on it."""
    from restora.degradations.holes import Hole
    from restora.pictures import image
    from restora.web import examples

    photo = examples._photo("astronaut")[:, :side, :side]
    missing = 1 - Hole("scratches").mask((side, side))[0]
    return image.encode(photo, ".png"), image.encode(missing, ".png")


def start() -> tuple[subprocess.Popen[str], str, float]:
    begun = time.monotonic()
    command = [sys.executable, "-m", "restora", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"http://\S+?(?=/)", server.stdout.readline())
    assert found
    httpx.get(f"{found[0]}/").raise_for_status()
    return server, found[0], time.monotonic() - begun


def inpainting(url: str) -> dict[str, float]:
    visitor = Visitor(url)
    picture = visitor.upload(*pictures(512))
    begun, times = time.monotonic(), {}
    job = visitor.submit(picture)
    for kind, event in visitor.events():
        now = time.monotonic() - begun
        if event["id"] == job and event.get("state") == "running":
            times.setdefault("first progress", now)
        if kind == "preview":
            times.setdefault("first intermediate picture", now)
        if event.get("state") == "done":
            return {**times, "512x512 inpainting": now}
    raise RuntimeError("the stream ended")


def cancelling(url: str) -> float:
    """Of eight candidates, in the middle of a step, until the next in the queue runs."""
    one, other = Visitor(url), Visitor(url)
    first = one.submit(one.upload(*pictures(512)), candidates=8)
    second = other.submit(other.upload(*pictures(64)), method="biharmonic")
    while one.look(first)["done"] == 0:
        time.sleep(0.1)
    time.sleep(0.5)
    begun = time.monotonic()
    one.cancel(first)
    while other.look(second)["state"] == "waiting":
        time.sleep(0.005)
    return time.monotonic() - begun


def visit(url: str, end: float, counts: Counter[str]) -> None:
    data, mask = pictures(128)
    try:
        visitor = Visitor(url)
        while time.monotonic() < end:
            job = visitor.submit(visitor.upload(data, mask))
            while (state := visitor.look(job)["state"]) in ("waiting", "running"):
                if time.monotonic() > end:
                    break
                time.sleep(1)
            counts[state] += 1
            if state == "done":
                answer = visitor.http.get(f"{visitor.root}/jobs/{job}/items/0/results/0").raise_for_status()
                assert Image.open(io.BytesIO(answer.content)).size == (128, 128)
    except Exception as error:
        counts[f"failed: {error}"] += 1


def memory(pid: int) -> float:
    """Megabytes that are resident."""
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=2)
    args = parser.parse_args()
    server, url, seconds = start()
    try:
        print(f"first page: {seconds:.2f} s")
        for name, value in inpainting(url).items():
            print(f"{name}: {value:.2f} s")
        print(f"cancel until the next runs: {cancelling(url):.3f} s")
        counts: Counter[str] = Counter()
        begun = time.monotonic()
        more = (url, begun + 60 * args.minutes, counts)
        threads = [threading.Thread(target=visit, args=more) for _ in range(args.visitors)]
        for thread in threads:
            thread.start()
        sizes: list[tuple[float, float]] = []
        while any(thread.is_alive() for thread in threads):
            sizes.append((time.monotonic() - begun, memory(server.pid)))
            time.sleep(5)
        print(f"{args.visitors} visitors, {args.minutes:g} minutes: {dict(counts)}")
        late = np.array([size for at, size in sizes if at >= 60] or [size for _, size in sizes])
        shown = ", ".join(f"{at:.0f} s {size:.0f}" for at, size in sizes[:: max(1, len(sizes) // 8)])
        print(f"memory in MB: {shown}; after the first minute {late.min():.0f} to {late.max():.0f}")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()

"""What is not accepted, and how that is said."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from visitor import Visitor, png

from restora.web.guard import Guard
from restora.web.service import Service


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert "\n" not in error
    assert "/tmp" not in error
    for word in words:
        assert word in error


def bomb(width: int, height: int) -> bytes:
    """A PNG of that size, of a few bytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [b"IHDR" + head, b"IDAT" + zlib.compress(bytes(99))]
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_uploads_that_are_no_pictures(visitor: Visitor) -> None:
    refused(visitor.upload(b"", "a.png"), 422, "a.png", "empty")
    refused(visitor.upload(b"\xff\xd8\xff nothing", "a.jpg"), 422, "a.jpg", "not an image")
    refused(visitor.upload(png(np.zeros((9, 9), np.uint8))[:40], "a.png"), 422, "a.png")
    refused(visitor.upload(bomb(10000, 10000), "../../etc/huge.png"), 422, "huge.png", "100 megapixels")
    refused(visitor.upload(bytes(1_000_001), "b.png"), 413, "b.png", "1 MB")


def test_too_many_bytes_are_noticed_while_they_come(visitor: Visitor, service: Service) -> None:
    def stream() -> Any:
        for _ in range(30):
            yield bytes(100_000)

    answer = visitor.client.post(f"{visitor.root}/pictures", params={"name": "a.png"}, content=stream())
    refused(answer, 413, "larger than 1 MB")
    assert not list(service.folder.rglob("*.png"))


def test_masks_that_are_none(visitor: Visitor) -> None:
    picture = visitor.picture()
    refused(visitor.mask(picture, png(np.full((48, 64), 255, np.uint8))), 422, "everywhere", "inverted")
    refused(visitor.mask(picture, png(np.zeros((48, 64), np.uint8))), 422, "nothing is missing")
    refused(visitor.mask(picture, png(np.zeros((30, 64), np.uint8))), 422, "64x48")
    refused(visitor.submit(picture), 422, "nothing is painted")


def test_requests_that_make_no_sense(visitor: Visitor) -> None:
    picture = visitor.picture()
    refused(visitor.submit(picture, "denoise", options={"sigma": "lots"}), 422, "sigma", "lots")
    refused(visitor.submit(picture, "denoise", options={"width": 3}), 422, "width")
    refused(visitor.submit(picture, "despeckle"), 422, "despeckle")
    refused(visitor.submit(picture, "denoise", candidates=99), 422, "candidates")
    refused(visitor.submit("nothing", "denoise"), 404, "choose it again")
    refused(visitor.submit(picture, "denoise", surprise=1), 422, "surprise")
    job = visitor.restore(picture, "denoise", method="no-such")
    assert (job["state"], "no-such" in job["error"]) == ("failed", True)


def test_a_few_pictures_are_enough(visitor: Visitor) -> None:
    for _ in range(5):
        visitor.picture()
    refused(visitor.upload(png(np.zeros((9, 9), np.uint8))), 413, "at most 5")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example:7860"},
    ],
)
def test_other_sites_may_not_post(client: TestClient, headers: dict[str, str]) -> None:
    refused(client.post("/api/visits", headers=headers), 403)
    assert len(client.app.service.visits) == 0  # type: ignore[attr-defined,union-attr]


def test_the_own_page_may(client: TestClient) -> None:
    own = {"Origin": "http://127.0.0.1:7860", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/visits", headers=own).status_code == 201
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = client.get("/", headers=link)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_hosts_that_are_this_server() -> None:
    guard = Guard(lambda *_: None, ["photos.example"])  # type: ignore[arg-type, return-value]
    hosts = [
        "localhost:1",
        "127.0.0.1",
        "[::1]:7860",
        "192.168.1.9:80",
        "photos.example",
        "PHOTOS.example:443",
    ]
    assert [guard._is_own(host) for host in hosts] == [True] * len(hosts)
    assert [guard._is_own(host) for host in ("", "evil.example", "127.0.0.1.evil.example")] == [False] * 3


def test_visits_do_not_see_each_other(client: TestClient) -> None:
    one, other = Visitor(client), Visitor(client)
    picture = one.picture()
    refused(client.get(f"{other.root}/pictures/{picture}/view"), 404)
    refused(client.get("/api/visits/guess/pictures/x/view"), 404, "ended")


def test_bodies_are_short_where_they_are_no_files(visitor: Visitor) -> None:
    refused(visitor.client.post(f"{visitor.root}/jobs", content=bytes(300_000)), 413, "200000 bytes")
    refused(visitor.client.post(f"{visitor.root}/jobs", content=iter([b"{", b"}"])), 413)

"""One at a time a device; stopped in the middle; nothing outlives its visit."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient
from visitor import Visitor, photo, png

from restora.web.front import Front
from restora.web.limits import Limits
from restora.web.service import Service
from restora.web.stopping import Stopped, stoppable

SLOW: dict[str, Any] = {"task": "denoise", "method": "tv", "options": {"sigma": "0.3"}}


@pytest.fixture
def gate(service: Service) -> threading.Event:
    """Work waits for it in operations of torch, as a long solve does."""
    opened, work = threading.Event(), service.queue.work

    def slow(job: Any, device: str) -> None:
        while not opened.is_set():
            torch.ones(1).add(1)
            time.sleep(0.001)
        work(job, device)

    service.queue.work = slow
    return opened


def until(truth: Any, seconds: float = 10) -> float:
    """How long it takes until it is so."""
    start = time.monotonic()
    while not truth():
        assert time.monotonic() - start < seconds
        time.sleep(0.005)
    return time.monotonic() - start


def test_stopped_at_the_next_operation() -> None:
    stop = threading.Event()
    with stoppable(stop):
        x = torch.ones(3) + 1
        stop.set()
        with pytest.raises(Stopped):
            x + 1
    assert (x + 1).tolist() == [3, 3, 3]


def test_those_who_wait_are_told_their_place(client: TestClient, gate: threading.Event) -> None:
    visitors = [Visitor(client) for _ in range(3)]
    jobs = [v.submit(v.picture(), **SLOW).json()["id"] for v in visitors]
    until(lambda: visitors[0].look(jobs[0])["state"] == "running")
    assert [v.look(j)["ahead"] for v, j in zip(visitors, jobs, strict=True)] == [0, 1, 2]
    visitors[1].client.delete(f"{visitors[1].root}/jobs/{jobs[1]}")
    assert visitors[1].look(jobs[1])["state"] == "cancelled"
    assert visitors[2].look(jobs[2])["ahead"] == 1
    gate.set()
    assert visitors[2].wait(jobs[2])["state"] == "done"


def test_cancel_frees_the_queue_within_a_second(client: TestClient, gate: threading.Event) -> None:
    one, other = Visitor(client), Visitor(client)
    first = one.submit(one.picture(), **SLOW).json()["id"]
    second = other.submit(other.picture(), **SLOW).json()["id"]
    until(lambda: one.look(first)["state"] == "running")
    client.delete(f"{one.root}/jobs/{first}")
    assert until(lambda: other.look(second)["state"] == "running") < 1
    assert one.look(first)["state"] == "cancelled"
    gate.set()
    assert other.wait(second)["state"] == "done"


def test_cancel_within_a_solver(client: TestClient) -> None:
    """Of the network and of the linear solve before it, on a picture that takes minutes."""
    visitor = Visitor(client)
    picture = visitor.picture(png(photo(900, 1000)))
    visitor.mask(picture, png((np.indices((900, 1000)).sum(0) % 3 == 0).astype(np.uint8) * 255))
    job = visitor.submit(picture, method="mmse", candidates=4).json()["id"]
    until(lambda: visitor.look(job)["doing"] != "", 30)
    time.sleep(1)
    client.delete(f"{visitor.root}/jobs/{job}")
    assert until(lambda: visitor.look(job)["state"] == "cancelled") < 2


def test_two_clicks_are_one_restoration(visitor: Visitor, gate: threading.Event) -> None:
    picture = visitor.picture()
    one, two = visitor.submit(picture, **SLOW).json(), visitor.submit(picture, **SLOW).json()
    assert one["id"] == two["id"]
    other = visitor.submit(picture, **{**SLOW, "options": {"sigma": "0.2"}})
    assert (other.status_code, "still running" in other.json()["error"]) == (409, True)
    gate.set()
    assert visitor.wait(one["id"])["state"] == "done"


def test_work_of_those_who_left_stops_and_their_files_go(
    visitor: Visitor, service: Service, gate: threading.Event
) -> None:
    job = visitor.submit(visitor.picture(), **SLOW).json()["id"]
    until(lambda: visitor.look(job)["state"] == "running")
    assert any(service.folder.iterdir())
    assert visitor.client.post(f"{visitor.root}/end").status_code == 204
    until(lambda: not any(service.folder.iterdir()))
    assert service.queue.load == (0, 0)


def test_silence_is_leaving(gate: threading.Event, service: Service, client: TestClient) -> None:
    visitor = Visitor(client)
    job = visitor.submit(visitor.picture(), **SLOW).json()["id"]
    until(lambda: visitor.look(job)["state"] == "running")
    visit = service.visits.peek(visitor.root.rpartition("/")[2])
    assert visit is not None
    visit.seen -= service.limits.abandoned + 1
    until(lambda: visit.jobs[job].state == "cancelled")
    visit.seen -= service.limits.kept
    until(lambda: not any(service.folder.iterdir()))


def test_a_queue_has_an_end(client: TestClient) -> None:
    service = Service(Limits(waiting=1), ["cpu"])
    try:
        service.queue.close()
        with TestClient(Front(lambda: service), base_url="http://localhost") as client:
            visitors = [Visitor(client) for _ in range(2)]
            answers = [v.submit(v.picture(), **SLOW) for v in visitors]
        assert [answer.status_code for answer in answers] == [202, 503]
        assert "try again" in answers[1].json()["error"]
    finally:
        service.close()


def test_nothing_is_left_at_the_end(service: Service) -> None:
    with TestClient(Front(lambda: service), base_url="http://localhost") as client:
        visitor = Visitor(client)
        visitor.picture()
        assert service.folder.exists()
    assert not service.folder.exists()

"""The page is there before torch is; what comes too early waits for it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from starlette.testclient import TestClient

from restora.errors import OptionError
from restora.web.front import Front
from restora.web.service import Service


def test_the_page_is_served_while_the_rest_is_loaded(service: Service) -> None:
    loaded = threading.Event()

    def make() -> Service:
        loaded.wait(10)
        return service

    with TestClient(Front(make), base_url="http://localhost") as client:
        assert "<h1>restora</h1>" in client.get("/").text
        assert client.get("/static/main.js").status_code == 200
        assert client.get("/static/none.js").status_code == 404
        answers: list[int] = []
        early = threading.Thread(target=lambda: answers.append(client.get("/api/about").status_code))
        early.start()
        time.sleep(0.1)
        assert answers == []
        loaded.set()
        early.join(10)
        assert answers == [200]
        assert client.get("/nothing").status_code == 404


def test_other_pages_are_refused_before_that_too() -> None:
    waiting = threading.Event()

    def make() -> Service:
        waiting.wait(10)
        raise OptionError("no such device", "device")

    failed = threading.Event()
    front = Front(make, failed=failed.set)
    with TestClient(front, base_url="http://localhost") as client:
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
        waiting.set()
        assert failed.wait(10)
    assert isinstance(front.error, OptionError)


def test_what_answers_first_loads_no_torch() -> None:
    code = "import restora.web.server, restora.cli.serve, sys; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_whoever_stops_the_server_does_not_wait_for_the_rest(service: Service) -> None:
    loaded = threading.Event()

    def make() -> Service:
        loaded.wait(30)
        return service

    begun = time.monotonic()
    with TestClient(Front(make), base_url="http://localhost") as client:
        assert client.get("/").status_code == 200
    assert time.monotonic() - begun < 20
    folder = service.folder
    loaded.set()
    for _ in range(300):
        if not folder.exists():
            break
        time.sleep(0.1)
    assert not folder.exists()

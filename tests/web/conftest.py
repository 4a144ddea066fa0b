"""A server in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the page needs restora[web]")

from starlette.testclient import TestClient
from visitor import Visitor

from restora.web.front import Front
from restora.web.limits import Limits
from restora.web.service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service(Limits(megabytes=1, megapixels=1, pictures=5), ["cpu"])
    yield found
    found.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(Front(lambda: service), base_url="http://127.0.0.1:7860") as found:
        yield found


@pytest.fixture
def visitor(client: TestClient) -> Visitor:
    return Visitor(client)

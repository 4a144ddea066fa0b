"""Listen: on loopback unless told otherwise, on the next free port where the one asked for is in use."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from restora.errors import OptionError
from restora.web.front import Front

if TYPE_CHECKING:
    from restora.web.service import Service

TRIES = 50
OPEN = (
    "{host} is not loopback: everyone who can reach this machine can open the page, use its processor and "
    "send it pictures, without a password and unencrypted. Visitors do not see each other's pictures"
)


def listen(host: str, port: int) -> tuple[socket.socket, int]:
    """A socket that listens, and its port: `port`, or the next that is free; 0 is any. OptionError for a host
    that is not this machine."""
    for candidate in range(port, min(port + TRIES, 65535) + 1):
        try:
            found = socket.create_server((host, candidate), family=_family(host), backlog=128)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EACCES:
                raise OptionError(
                    f"no permission to use {candidate}; choose one above 1023", "port"
                ) from None
            raise OptionError(
                f"{host!r} is not an address of this machine ({error.strerror or error}); leave it out for "
                "this machine only, or use 0.0.0.0 for everyone who can reach it",
                "host",
            ) from None
        return found, found.getsockname()[1]
    raise OptionError(f"{port} and the {TRIES} after it are in use; choose another", "port")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def address(host: str, port: int) -> str:
    """Where to open the page."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def serve(
    make: Callable[[], Service], listener: socket.socket, names: Iterable[str], ready: Callable[[], None]
) -> None:
    """Answer until SIGINT or SIGTERM. make: gives the service, in a thread, and what it raises ends all.
    ready: called once the page can be opened."""
    front = Front(make, names)
    config = uvicorn.Config(
        front, log_level="warning", lifespan="on", timeout_graceful_shutdown=1, server_header=False
    )
    server = _Server(config, ready, front.hang_up)
    front.failed = server.stop
    with _interruptible():
        server.run(sockets=[listener])
    if front.error is not None:
        raise front.error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], hang_up: Callable[[], None]):
        super().__init__(config)
        self.ready, self.hang_up = ready, hang_up

    def stop(self) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hang_up()
        await super().shutdown(sockets)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C is how a server is meant to be stopped."""
    with contextlib.suppress(KeyboardInterrupt):
        yield


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET

"""Who may talk to the server: pages of its own, and programs; never a page of another site.

A page of another site can make a browser send requests to 127.0.0.1 (their Origin is not ours), or give its
own name our address (DNS rebinding: the Host is not ours). Names that mean this machine are known, and an
address is no name that could be rebound.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SAFE = ("GET", "HEAD", "OPTIONS")
FILES = ("/pictures", "/mask")  # what takes files, and limits them itself
LONGEST = 200_000  # bytes of any other body


class Guard:
    """ASGI middleware. `names`: hosts by which the server may be called, beside this machine's own."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()):
        self.app = app
        own = socket.gethostname().lower()
        self.names = {"localhost", own, f"{own}.local", socket.getfqdn().lower(), *(n.lower() for n in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not scope["path"].endswith(FILES) and _is_long(headers):
            error = {"error": f"the body is longer than {LONGEST} bytes, or does not say how long it is"}
            await JSONResponse(error, 413, HEADERS)(scope, receive, send)
            return
        refusal = self.refusal(scope["method"], headers)
        if refusal:
            await JSONResponse({"error": refusal}, 403, HEADERS)(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, sent)

    def refusal(self, method: str, headers: Headers) -> str:
        """Why the request is not answered; empty where it is."""
        host = headers.get("host", "")
        if not self._is_own(host):
            return (
                f"the host {host!r} is not this server; open it by its address, or start it with --allow-host"
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        navigation = method in SAFE and headers.get("sec-fetch-mode") == "navigate"
        if foreign or (site not in ("none", "same-origin") and not navigation):
            return f"requests from pages of another site ({origin or site}) are not accepted"
        return ""

    def _is_own(self, host: str) -> bool:
        name = (urlsplit(f"//{host}").hostname or "").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return True


def _is_long(headers: Headers) -> bool:
    said = headers.get("content-length", "0")
    return "transfer-encoding" in headers or not said.isdecimal() or int(said) > LONGEST

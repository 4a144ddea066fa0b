"""Serve a web page on which you restore images: drop, paint, compare, download.

Images never leave this machine. Uploads are kept in a temporary folder until their visitor leaves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from restora.cli.telling import tell
from restora.errors import OptionError, PackageError

if TYPE_CHECKING:
    from restora.web.limits import Limits
    from restora.web.service import Service

PORT = 7860
SURE = ("auto", "cpu")  # devices that are there, which can be known without torch
NEEDED = ("fastapi", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (127.0.0.1, this machine only)",
    )
    add(
        "--port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"port; the next free one if it is in use ({PORT})",
    )
    device = "auto, cpu or cuda; several, separated by commas, work in parallel (auto)"
    add("--device", default="auto", metavar="NAME", help=device)
    add("--max-megapixels", type=float, default=32, metavar="X", help="refuse larger images (32)")
    add("--max-megabytes", type=float, default=100, metavar="X", help="refuse larger files (100)")
    names = "also accept this host name, such as that of a proxy; repeat for several"
    add("--allow-host", action="append", default=[], metavar="NAME", help=names)


def run(args: argparse.Namespace) -> int:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise PackageError(f"the page needs {' and '.join(missing)}; pip install 'restora[web]'")
    from restora.web import server
    from restora.web.limits import Limits

    if not 0 <= args.port <= 65535:
        raise OptionError(f"expected a number from 0 to 65535, got {args.port}", "port")
    for name in ("max_megapixels", "max_megabytes"):
        if not getattr(args, name) > 0:
            raise OptionError(f"expected a positive number, got {getattr(args, name):g}", name)
    listener, port = server.listen(args.host, args.port)
    with listener:
        limits = Limits(megapixels=args.max_megapixels, megabytes=args.max_megabytes)
        make: Callable[[], Service] = partial(_service, limits, args.device)
        if args.device not in SURE:
            service = make()
            make = lambda: service  # noqa: E731
        if args.port not in (0, port):
            tell(f"port {args.port} is in use, so this is {port}")
        if not server.is_loopback(args.host):
            tell(f"note: {server.OPEN.format(host=args.host)}")
        url = server.address(args.host, port)
        ready = lambda: print(f"restora is at {url} (Ctrl-C to stop)", flush=True)  # noqa: E731
        server.serve(make, listener, [args.host, *args.allow_host], ready)
    return 0


def _service(limits: Limits, devices: str) -> Service:
    """OptionError for a device that is not there."""
    from restora.web.service import Service

    return Service(limits, _devices(devices))


def _devices(text: str) -> list[str]:
    """auto is all GPUs, or the processor."""
    import torch

    if text != "auto":
        return list(dict.fromkeys(word.strip() for word in text.split(",")))
    return [f"cuda:{i}" for i in range(torch.cuda.device_count())] or ["cpu"]

"""Benchmark: tasks x methods on anyone's images, with the protocol, the machine and every value kept."""

from restora.bench.data import Images, read_images
from restora.bench.method import Method
from restora.bench.protocol import TASKS, Clean, Deck, Protocol, protocols
from restora.bench.run import Benchmark
from restora.bench.store import Store

__all__ = [
    "TASKS",
    "Benchmark",
    "Clean",
    "Deck",
    "Images",
    "Method",
    "Protocol",
    "Store",
    "protocols",
    "read_images",
]

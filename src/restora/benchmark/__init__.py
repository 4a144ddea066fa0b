"""Benchmark: tasks x methods on anyone's images, with the protocol, the machine and every value kept."""

from restora.benchmark.data import Images, read_images
from restora.benchmark.method import Method
from restora.benchmark.protocol import TASKS, Clean, Deck, Protocol, protocols
from restora.benchmark.run import Benchmark
from restora.benchmark.store import Store

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

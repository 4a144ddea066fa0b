"""How much memory there is, and how much a computation took: of this machine, or of a GPU."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

STATUS, CLEAR, MACHINE = Path("/proc/self/status"), Path("/proc/self/clear_refs"), Path("/proc/meminfo")
GROUPS = (  # of a container: limit and use, in both versions of control groups
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
LACKING = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def is_lack(error: Exception) -> bool:
    """Whether it says that memory ran out: Python's, torch's, or that of a GPU."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in LACKING)


def available(device: torch.device) -> int:
    """Bytes that can still be taken."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    return min([_field(MACHINE, "MemAvailable"), *(_left(limit, used) for limit, used in GROUPS)])


def _left(limit: Path, used: Path) -> int:
    """Of a control group; very much where it has no limit."""
    with contextlib.suppress(OSError, ValueError):
        return max(0, int(limit.read_text()) - int(used.read_text()))
    return 2**62


def _field(path: Path, name: str) -> int:
    """Of a file of lines such as MemAvailable: 123 kB; 0 where it cannot be read."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


class Peak:
    """`bytes`: by how much the memory in use grew, at most, while this was entered."""

    def __init__(self, device: torch.device):
        self.device, self.bytes = device, 0

    def __enter__(self) -> Peak:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self.before = torch.cuda.memory_allocated(self.device)
        else:
            with contextlib.suppress(OSError):
                CLEAR.write_text("5")  # the peak is now what is in use
            self.before = _field(STATUS, "VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        gpu = self.device.type == "cuda"
        most = torch.cuda.max_memory_allocated(self.device) if gpu else _field(STATUS, "VmHWM")
        self.bytes = max(0, most - self.before)

"""The command line: `restora demo | degrade | restore | serve | bench | train | methods | tasks | priors`.

OpenMP's threads spin while they wait, so that a run beside other work takes up to 14 times as long. The
command line asks them to sleep, before torch is loaded, since they read the environment once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # any of them is the user's own choice


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code, as `restora.cli.commands.main` does."""
    if "torch" not in sys.modules and not any(name in os.environ for name in WAITING):
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        from restora.cli import commands
    except KeyboardInterrupt:  # loading torch takes a second
        return 130
    return commands.main(argv)

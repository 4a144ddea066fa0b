"""Hostile files that coverage guides, by atheris (pip install atheris): any door that reads files.

    python benchmarks/hostile_guided.py picture -max_total_time=60
    python benchmarks/hostile_guided.py import -runs=100000

The options are those of libFuzzer. It begins with the small good files of that door, and stops at the first
exception that is no RestoraError of one line, crash, or file that takes more than 10 seconds or 2 GB.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "hostile"))

LIMITS = ("-timeout=10", "-rss_limit_mb=3000", "-max_len=8000")


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    if importlib.util.find_spec("atheris") is None:
        sys.exit("atheris is not installed; pip install atheris")
    import atheris

    with atheris.instrument_imports(include=["restora", "tifffile", "PIL"]):
        import tifffile  # noqa: F401
        from hostile_doors import DOORS
        from hostile_files import write_all

        from restora.errors import RestoraError

    door = sys.argv[1]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        good = [path for path in write_all(Path(place) / "all") if path.parent.name == door]
        path = Path(place) / f"any{good[0].suffix}"

        def one(data: bytes) -> None:
            path.write_bytes(data)
            try:
                DOORS[door](path)
            except RestoraError as error:
                if "\n" in str(error):
                    raise ValueError(f"several lines: {error}") from error

        atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[2:], str(good[0].parent)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()

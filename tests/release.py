"""Both wheels in an empty environment with nothing but their defaults: `make release`.

python tests/release.py dist
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

MAKE = """
from PIL import Image
Image.effect_noise((64, 48), 60).convert("RGB").save("noisy.png")
Image.effect_noise((64, 64), 60).convert("RGB").save("face.png")
"""
DENOISE = ("--task", "denoise", "--sigma", "0.1", "--device", "cpu")


def main(dist: Path) -> None:
    (restora,) = dist.glob("restora-*.whl")
    (faces,) = dist.glob("restora_faces64-*.whl")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

        def run(*words: object, code: int = 0) -> str:
            done = subprocess.run([python, *map(str, words)], cwd=folder, capture_output=True, text=True)
            assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
            return done.stdout + done.stderr

        run("-m", "pip", "install", "--quiet", restora.resolve())
        run("-c", MAKE)
        assert set(json.loads(run("-m", "restora", "priors", "--json"))) == {"natural", "natural-gaussian"}
        run("-m", "restora", "inspect", "noisy.png")
        run("-m", "restora", "restore", "noisy.png", "-o", "out", *DENOISE)
        assert (folder / "out" / "noisy.png").is_file()
        words = ("-m", "restora", "restore", "face.png", "-o", "faces", *DENOISE, "--prior", "faces64")
        assert "pip install restora-faces64" in run(*words, code=2)
        run("-m", "pip", "install", "--quiet", faces.resolve())
        assert "non-commercial research only" in run(*words)
        assert (folder / "faces" / "face.png").is_file()
        print("both wheels install and restore in an empty environment")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

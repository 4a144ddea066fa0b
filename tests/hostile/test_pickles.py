"""No code of a file runs, by whichever door it comes: a canary is never written."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from restora.errors import OptionError, RestoraError, WeightsError
from restora.networks import TorchScript
from restora.pictures.kernel import read_kernel
from restora.priors import importing, store
from restora.training import checkpoint


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.canary),)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def test_the_canary_works(canary: Path) -> None:
    pickle.loads(pickle.dumps(Evil(canary)))
    assert canary.exists()


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".onnx"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "plain", "numpy"])
def test_imports(kind: str, suffix: str, tmp_path: Path, canary: Path) -> None:
    path, content = tmp_path / f"evil{suffix}", {"state_dict": Evil(canary)}
    if kind == "plain":
        path.write_bytes(pickle.dumps(content))
    elif kind == "numpy":
        np.save(path.with_suffix(".npy"), np.array([content], object))
        path.with_suffix(".npy").rename(path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(RestoraError):
        importing.denoiser(path, "ve", gaussian="none")
    for read in (store.load, checkpoint.load):
        with pytest.raises(RestoraError):
            read(path)
    assert not canary.exists()


def test_a_pickle_in_a_header(tmp_path: Path, canary: Path) -> None:
    for value in (Evil(canary), {"kind": "flow", "config": Evil(canary)}):
        text = pickle.dumps(value, 0).decode("latin-1")
        header = json.dumps({"__metadata__": {"restora.prior": text, "restora.checkpoint": text}}).encode()
        path = tmp_path / store.WEIGHTS
        path.write_bytes(struct.pack("<Q", len(header)) + header)
        for read in (store.load, checkpoint.load):
            with pytest.raises(WeightsError):
                read(path)
    assert not canary.exists()


def test_arrays(tmp_path: Path, canary: Path) -> None:
    path = tmp_path / "kernel.npy"
    np.save(path, np.array([[Evil(canary)]], object))
    with pytest.raises(OptionError, match="psf"):
        read_kernel(path)
    np.savez(tmp_path / "kernel.npz", np.array([[Evil(canary)]], object))
    (tmp_path / "kernel.npz").rename(path)
    with pytest.raises(OptionError, match="an archive"):
        read_kernel(path)
    path.write_bytes(pickle.dumps(Evil(canary)))
    with pytest.raises(OptionError, match="psf"):
        read_kernel(path)
    assert not canary.exists()


def script(canary: Path, code: str) -> bytes:
    """A TorchScript archive with `code` in place of a comment in a method that runs when it is loaded."""

    class Module(torch.nn.Module):
        @torch.jit.export
        def __getstate__(self) -> bool:
            return self.training

        @torch.jit.export
        def __setstate__(self, state: bool) -> None:
            self.training = state

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    stream, changed, mark = io.BytesIO(), io.BytesIO(), b"    self.training = state\n"
    torch.jit.save(torch.jit.script(Module()), stream)
    with zipfile.ZipFile(stream) as archive, zipfile.ZipFile(changed, "w") as target:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(".py"):
                content = content.replace(mark, code.encode() + mark)
            target.writestr(name, content)
    return changed.getvalue()


@pytest.mark.parametrize(
    "code",
    [
        '    torch.save(torch.ones([1]), "{}")\n',
        '    t = torch.from_file("{}", True, 4)\n    print(int(torch.sum(torch.fill_(t, 1.0))))\n',
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_torchscript(code: str, tmp_path: Path, canary: Path) -> None:
    data = script(canary, code.format(canary))
    torch.jit.load(io.BytesIO(data))
    assert canary.exists()  # torch itself lets it write
    canary.unlink()
    path = tmp_path / "evil.pt"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"its code has (__setstate__|save|from_file)"):
        importing.denoiser(path, "ve", gaussian="none")
    with pytest.raises(WeightsError, match=r"its code has"):
        TorchScript.of(data)(torch.rand(1, 3, 8, 8))
    assert not canary.exists()


@pytest.mark.filterwarnings("ignore")
def test_a_program_that_writes_when_it_is_used(canary: Path) -> None:
    stream = io.BytesIO()
    module = torch.jit.ScriptModule()
    module.define(f"def forward(self, x: Tensor):\n    torch.save(x, '{canary}')\n    return x\n")
    torch.jit.save(module, stream)
    with pytest.raises(WeightsError, match="its code has save"):
        TorchScript.of(stream.getvalue())(torch.rand(1, 3, 8, 8))
    assert not canary.exists()


@pytest.mark.parametrize("data", [b"", b"PTMF" * 9, b"\x18\0\0\0PTMF" + bytes(60), b"PK\x03\x04"])
def test_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(WeightsError, match="is not a network that TorchScript can run"):
        TorchScript.of(data)(torch.rand(1, 3, 8, 8))

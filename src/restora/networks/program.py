"""Networks that are programs: TorchScript and ONNX files, whose bytes are kept."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restora.errors import PackageError, PairingError, RestoraError, WeightsError
from restora.networks.script import checked


class Program(nn.Module):
    """Arguments (B, ...) -> what the program gives for them. `size`: the length of its file in bytes.

    any_size: whether it takes images of any height and width. WeightsError for a file that cannot be run.
    """

    program: Tensor

    def __init__(self, size: int, any_size: bool = False):
        super().__init__()
        self.any_size = any_size
        self.register_buffer("program", torch.zeros(size, dtype=torch.uint8))
        self._running: tuple[Any, Any] | None = None  # where, and what

    @classmethod
    def of(cls, data: bytes, any_size: bool = False) -> Program:
        """Of the content of a file."""
        network = cls(len(data), any_size)
        network.program = torch.from_numpy(np.frombuffer(data, np.uint8).copy())
        return network

    @property
    def config(self) -> dict[str, Any]:
        return {"size": len(self.program), "any_size": self.any_size}

    def forward(self, x: Tensor, *more: Tensor) -> Any:
        place = x.device, x.dtype
        if self._running is None or self._running[0] != place:
            try:
                self._running = place, self.start(self.program.cpu().numpy().tobytes(), *place)
            except RestoraError:
                raise
            except Exception as error:  # of its reader, its compiler
                raise WeightsError(
                    f"the file is not a network that {self.language} can run ({_first(error)})"
                ) from error
        try:
            return self.run(self._running[1], x, *more)
        except (RestoraError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # of the program itself
            raise WeightsError(
                f"the network failed in {self.language}, on values of {tuple(x.shape)} ({_first(error)})"
            ) from error

    language = ""

    def start(self, data: bytes, device: torch.device, dtype: torch.dtype) -> Any:
        """What `run` takes."""
        raise NotImplementedError

    def run(self, running: Any, *arguments: Tensor) -> Any:
        return running(*arguments)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_running": None}  # a copy starts anew


class TorchScript(Program):
    """A module that torch.jit.trace or torch.jit.script made and saved."""

    language = "TorchScript"

    def start(self, data: bytes, device: torch.device, dtype: torch.dtype) -> Any:
        module = torch.jit.load(io.BytesIO(checked(data)), map_location=device).to(dtype).eval()
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        return module


class Onnx(Program):
    """An ONNX graph, whose inputs are the arguments in their order; on the CPU, without gradients."""

    language = "ONNX Runtime"

    def start(self, data: bytes, device: torch.device, dtype: torch.dtype) -> Any:
        try:
            import onnxruntime as ort
        except ImportError:
            raise PackageError(
                "this prior needs the package onnxruntime, which is not installed; "
                "pip install 'restora[onnx]'"
            ) from None
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        return ort.InferenceSession(data, settings, providers=["CPUExecutionProvider"])

    def run(self, running: Any, *arguments: Tensor) -> Any:
        if any(value.requires_grad for value in arguments):
            raise PairingError(
                "an ONNX network has no gradients; use a method without them, such as mmse or hqs"
            )
        feeds = {}
        for entry, value in zip(running.get_inputs(), arguments, strict=False):
            feeds[entry.name] = value.cpu().numpy().astype(TYPES.get(entry.type, np.float32))
        found = [torch.from_numpy(value).to(arguments[0]) for value in running.run(None, feeds)]
        return found[0] if len(found) == 1 else tuple(found)


def _first(error: Exception) -> str:
    """Its first line that says anything."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


TYPES: dict[str, Any] = {
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}

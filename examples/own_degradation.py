"""Any linear degradation from a function and its adjoint: here, every other row of the picture is lost."""

import torch

from restora import LinearDegradation, restore
from restora.align import astronaut
from restora.metrics import psnr


def rows(x: torch.Tensor) -> torch.Tensor:
    return x[:, :, ::2]


def rows_adjoint(y: torch.Tensor) -> torch.Tensor:
    x = torch.zeros(*y.shape[:2], 2 * y.shape[2], y.shape[3], dtype=y.dtype)
    x[:, :, ::2] = y
    return x


truth = astronaut()[None]
interlaced = LinearDegradation(rows, rows_adjoint, sigma=0.02)
interlaced.check((3, 64, 64))  # is that really the adjoint?
y = interlaced(truth, torch.Generator().manual_seed(0))

result = restore(y, interlaced)
print(f"{tuple(y.shape[1:])} -> {tuple(result.image.shape[1:])}, {psnr(result.image, truth).item():.2f} dB")

"""
Your own degradation
====================

You can define any linear degradation by a function and its adjoint. Here, every other row of the image is
lost.
"""

import matplotlib.pyplot as plt
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


# %%
# ``check`` tests whether the adjoint matches the function. If you do not give an adjoint, restora computes it
# by automatic differentiation.

truth = astronaut(96)[None]
interlaced = LinearDegradation(rows, rows_adjoint, sigma=0.02)
interlaced.check((3, 96, 96))
y = interlaced(truth, torch.Generator().manual_seed(0))
result = restore(y, interlaced)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axis, name, image in zip(
    axes, ("every other row", "restored", "truth"), (y, result.image, truth), strict=True
):
    axis.imshow(image[0].permute(1, 2, 0).clamp(0, 1), aspect="auto")
    axis.set_title(name)
    axis.axis("off")
print(f"{tuple(y.shape[1:])} -> {tuple(result.image.shape[1:])}, {psnr(result.image, truth).item():.2f} dB")

"""
MRI, tomography and compressed sensing
======================================

``restore`` reconstructs an image from a third of its frequencies (MRI), from rays at 60 angles (tomography),
or from random sums, a quarter as many as pixels (compressed sensing).
"""

import matplotlib.pyplot as plt
import torch
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from restora import Degradation, GaussianNoise, restore
from restora.metrics import psnr
from restora.operators import FourierMask, Matrix, Radon

truth = torch.from_numpy(resize(shepp_logan_phantom(), (64, 64), anti_aliasing=True)).float()[None, None]
rows = torch.randn(1024, 64 * 64, generator=torch.Generator().manual_seed(0)) / 32
operators = {
    "frequencies": FourierMask.lines((64, 64), acceleration=3),
    "rays": Radon(64, angles=60),
    "sums": Matrix(rows, shape=(1, 64, 64)),
}

figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
axes[0].imshow(truth[0, 0], cmap="gray")
axes[0].set_title("the phantom")
for axis, (name, operator) in zip(axes[1:], operators.items(), strict=True):
    laboratory = Degradation(operator, GaussianNoise(0.01))
    laboratory.check((1, 64, 64))  # raises an error if the adjoint is wrong
    y = laboratory(truth, torch.Generator().manual_seed(0))
    found = restore(y, laboratory, method="lmmse", prior="natural-gaussian").image
    axis.imshow(found[0, 0], cmap="gray")
    axis.set_title(f"{name}, {psnr(found, truth).item():.1f} dB")
    print(f"{name}: {psnr(found, truth).item():.2f} dB")
for axis in axes:
    axis.axis("off")

"""
Three methods for a blurred photo
=================================

A blurred photo is restored with a flow (``mmse``), with a Gaussian model (``lmmse``), and without a learnt
prior (``tv``, total variation).
"""

import time

import matplotlib.pyplot as plt
import torch
from skimage import data

from restora import Blur, restore
from restora.metrics import psnr

camera = data.camera()[80:208, 160:288]  # CC0, by Lav Varshney; grey
truth = torch.tensor(camera / 255, dtype=torch.float32)[None, None]
degradation = Blur(width=1.6, sigma=0.01)
y = degradation(truth, torch.Generator().manual_seed(0))

figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
axes[0].imshow(y[0, 0], cmap="gray", vmin=0, vmax=1)
axes[0].set_title(f"blurred\n{psnr(y, truth).item():.1f} dB")
for axis, method in zip(axes[1:], ("tv", "lmmse", "mmse"), strict=True):
    start = time.perf_counter()
    x = restore(y, degradation, method=method).image
    axis.imshow(x[0, 0], cmap="gray", vmin=0, vmax=1)
    axis.set_title(f"{method}, {time.perf_counter() - start:.1f} s\n{psnr(x, truth).item():.1f} dB")
for axis in axes:
    axis.axis("off")

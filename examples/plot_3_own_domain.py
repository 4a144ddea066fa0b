"""
Your own images
===============

Microscope images are not photographs. Here we fit a prior to two-channel images of stained tissue in a few
seconds, and restore another image with it.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import color, data

from restora import Mask, load_prior, restore
from restora.cli import main
from restora.metrics import psnr
from restora.pictures import image

# %%
# scikit-image contains an image of tissue that was stained with two dyes. The amount of each dye gives an
# image with two channels. We cut its left side into training images, and test on a part of its right side.

dyes = color.rgb2hed(data.immunohistochemistry())[..., [0, 2]]
dyes = (dyes / np.quantile(dyes, 0.999, (0, 1))).clip(0, 1)
pixels = torch.tensor(dyes, dtype=torch.float32).permute(2, 0, 1)
folder = Path(tempfile.mkdtemp())
for row in range(0, 385, 64):
    for column in range(0, 193, 64):
        crop = pixels[:, row : row + 128, column : column + 128]
        image.write(folder / "train" / f"{row}-{column}.tif", crop, bits=16)
truth = pixels[None, :, 128:256, 384:512]

# %%
# A Gaussian model is the fastest prior to train: the mean and the covariance of the images. A flow gives
# better results, but its training takes minutes (``restora train flow``).

main(["train", "gaussian", str(folder / "train"), "-o", str(folder / "prior"), "--channels", "2", "--crop"])
prior = load_prior(folder / "prior")

# %%
# Half of the pixels of the test image are missing.

mask = (torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(0)) > 0.5).float()
degradation = Mask(mask)
y = degradation(truth)

panels = {
    "half of the pixels": y,
    "total variation": restore(y, degradation, method="tv").image,
    "own prior": restore(y, degradation, prior=prior).image,
    "truth": truth,
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
for axis, (name, found) in zip(axes, panels.items(), strict=True):
    first, second = found[0].clamp(0, 1)
    axis.imshow(torch.stack([first, second, first], -1))  # magenta and green
    axis.set_title(name if found is truth else f"{name}\n{psnr(found, truth).item():.1f} dB")
    axis.axis("off")

"""
Fill in the middle of a face
============================

The prior ``faces64`` is trained on aligned faces. We hide the middle of a face, and restore it as an average
and as two samples.

The weights of ``faces64`` come with the package ``restora-faces64``, for non-commercial research only.
"""

import matplotlib.pyplot as plt

from restora import Mask, restore
from restora.align import astronaut
from restora.metrics import psnr

truth = astronaut()[None]  # (1, 3, 64, 64) in [0, 1]: Eileen Collins, NASA, public domain
degradation = Mask.center((64, 64))
y = degradation(truth)

result = restore(y, degradation, prior="faces64", samples=3, seed=0)
names = ("observed", "average", "sample 1", "sample 2", "truth")
figure, axes = plt.subplots(1, 5, figsize=(12, 3), layout="constrained")
for axis, name, image in zip(axes, names, (y[0], *result.samples[0], truth[0]), strict=True):
    axis.imshow(image.permute(1, 2, 0).clamp(0, 1))
    decibels = psnr(image[None], truth).item()
    axis.set_title(name if name == "truth" else f"{name}\n{decibels:.2f} dB")
    axis.axis("off")
    print(f"{name}: {decibels:.2f} dB")

"""Restore a picture held as a tensor: hide the middle of a face, ask for three ways to fill it."""

import sys
from pathlib import Path

from restora import Mask, restore
from restora.align import astronaut
from restora.metrics import psnr
from restora.pictures.image import write

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/example")
truth = astronaut()[None]  # (1, 3, 64, 64) in [0, 1]
degradation = Mask.center((64, 64))
y = degradation(truth)

result = restore(y, degradation, samples=3, seed=0)
for k, sample in enumerate(result.samples[0], start=1):
    write(folder / f"filled-{k}.png", sample)
    print(f"sample {k}: {psnr(sample[None], truth).item():.2f} dB")

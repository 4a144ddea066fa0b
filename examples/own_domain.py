"""Make two sets of 16-bit images that are not photographs, from images of scikit-image:

    python examples/own_domain.py FOLDER

FOLDER/textures   one channel: brick, grass and gravel
FOLDER/stains     two channels: the amounts of haematoxylin and DAB in a tissue section

Each set has train/, cut from the left side of the images, and test/, cut from the right side. The tutorial
docs/tutorials/own-domain.md uses them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from skimage import color, data

from restora.pictures import image

SIDE = 128
STARTS = {"train": range(0, 225, 32), "test": [384]}  # of the columns; 32 columns between the two are unused


def pictures() -> Iterator[tuple[str, str, np.ndarray]]:
    """Set, name, and values (512, 512, C) in [0, 1]."""
    for texture in (data.brick, data.grass, data.gravel):
        yield "textures", texture.__name__, texture()[..., None] / 255
    stains = color.rgb2hed(data.immunohistochemistry())[..., [0, 2]]
    yield "stains", "tissue", (stains / np.quantile(stains, 0.999, (0, 1))).clip(0, 1)


folder = Path(sys.argv[1])
for kind, name, values in pictures():
    for part, columns in STARTS.items():
        rows = range(0, 385, 32 if part == "train" else SIDE)
        for y, x in ((y, x) for y in rows for x in columns):
            pixels = torch.from_numpy(values[y : y + SIDE, x : x + SIDE]).permute(2, 0, 1)
            image.write(folder / kind / part / f"{name}-{y}-{x}.tif", pixels, bits=16)

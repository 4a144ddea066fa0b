"""Blur kernels from files: pictures of them, and NumPy arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from restora.errors import OptionError
from restora.limits import TAPS
from restora.pictures import image

EXPECTED = "expected a file with a kernel, a picture or a .npy of shape (h, w)"


def read_kernel(path: Path | str) -> Tensor:
    """The kernel (h, w) in a file. A picture has no unit, so that its values are divided by their sum; an
    array is taken as it is. OptionError, of the option `psf`, for a file that holds none."""
    try:
        taps = _array(Path(path)) if str(path).lower().endswith(".npy") else _picture(Path(path))
    except Exception as error:  # an array's header is Python, and damage to it raises anything
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
        raise OptionError(f"{EXPECTED}; got {str(path)!r} ({reason})", "psf") from None
    if not bool(taps.isfinite().all()) or not bool(taps.any()):
        raise OptionError(f"{EXPECTED}; the values of {str(path)!r} are all 0 or not finite", "psf")
    return taps


def _array(path: Path) -> Tensor:
    found = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "biuf":
        kind = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else "an archive"
        raise ValueError(f"it holds {kind}")
    if found.size > TAPS:
        raise ValueError(f"it holds {found.size} values; at most {TAPS} are accepted")
    return torch.from_numpy(found.astype(np.float64))


def _picture(path: Path) -> Tensor:
    grey = image.load(path, max_pixels=TAPS).picture().pixels.double().mean(0)
    return grey / grey.sum()

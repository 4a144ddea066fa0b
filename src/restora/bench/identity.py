"""Whether it is still the same person: cosine of the face descriptors of dlib's recognition network.

The network (ResNet-29, 128 values, dlib 2017) and its weights are those of the packages dlib-bin and
face_recognition_models: pip install 'restora[bench]'. It takes faces at a fixed place in 150x150 pixels, so
images must be cropped as `restora.align` does. Descriptors are not centred: on CelebA, two photos have a
cosine of 0.85 on average (standard deviation 0.04), and a photo and the one most like it among 128 have 0.96.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

NEEDS = ("dlib", "face_recognition_models")
SIZE = 150
# The crop of `restora.align` in dlib's frame, whose eyes are at (47.7, 47.1) and (100.3, 47.1).
SIDE, LEFT, TOP = 116, 17, 28


def network() -> Any:
    """dlib's network. face_recognition_models is not imported, as that needs an old setuptools."""
    import dlib

    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or []
    path = Path(folder) / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    return dlib.face_recognition_model_v1(str(path))


def descriptors(network: Any, images: Tensor) -> Tensor:
    """Faces (N, 3, H, W) in [0, 1] -> (N, 128) float64."""
    return torch.from_numpy(np.array([network.compute_face_descriptor(chip) for chip in chips(images)]))


def show_faces(images: Tensor) -> bool:
    """Whether dlib's detector finds a face in most of the first 16 images."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    found = [len(detector(chip, 1)) > 0 for chip in chips(images[:16])]
    return 2 * sum(found) > len(found)


def chips(images: Tensor) -> list[np.ndarray]:
    """dlib's frame about each picture, its border repeated: (150, 150, 3) uint8."""
    large = F.interpolate(images, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False)
    margins = (LEFT, SIZE - SIDE - LEFT, TOP, SIZE - SIDE - TOP)
    framed = F.pad(large.clamp(0, 1), margins, mode="replicate")
    return list((framed * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy())

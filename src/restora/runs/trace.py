"""The search of a solver as an animated picture: the observation beside the restoration, step by step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from restora.figure import visible
from restora.pictures import colour, image
from restora.pictures.atomic import atomic
from restora.runs.item import Item
from restora.runs.loading import Loaded
from restora.solvers import Step

FRAMES = 50
SCALE = 4
SIDE = 512  # of a restoration in a frame, at most; larger ones are reduced
MILLISECONDS = 60


class Trace:
    """Collects about `FRAMES` steps of each item under way; `write` makes STEM-trace.webp."""

    def __init__(self) -> None:
        self.group: Sequence[Loaded] = ()  # those that are restored together; a batch may be several such
        self.frames: dict[Path, tuple[Item, Tensor | None, list[Tensor]]] = {}

    def watch(self, loaded: Sequence[Loaded], y: Tensor, step: Step) -> None:
        """A step of the pictures, whose observations y are (B, C, H, W). Of each item the first is shown."""
        rows = [row for row, x in enumerate(loaded) if x.number == 0]
        if not rows:
            return
        items = [loaded[row].item for row in rows]
        if loaded is not self.group:
            self.group = loaded
            pairs = zip(items, _bytes(y[rows]), strict=True)
            self.frames |= {item.path: (item, observed, []) for item, observed in pairs}
        stride = max(1, step.total // FRAMES)
        if step.i % stride == 0 or step.i == 1 or step.samples is not None:
            for item, frame in zip(items, _bytes(step.x[rows]), strict=True):
                self.frames[item.path][2].append(frame)

    def write(self, item: Item) -> None:
        """Write the animation of an item that has ended, if it was restored, and forget its frames."""
        _, observed, frames = self.frames.pop(item.path, (item, None, []))
        if observed is not None and item.status == "done" and item.trace:
            _write(item, item.trace, observed, frames)


def _reduced(x: Tensor) -> Tensor:
    """x (B, C, H, W), so that it has at most SIDE pixels a side."""
    height, width = x.shape[-2:]
    longest = max(height, width)
    if longest <= SIDE:
        return x
    return F.interpolate(x, [max(1, side * SIDE // longest) for side in (height, width)], mode="area")


def _bytes(x: Tensor) -> Tensor:
    """x (B, C, H, W) as it is shown."""
    return colour.to_uint8(visible(_reduced(x))).cpu()


def _write(item: Item, target: Path, y: Tensor, frames: Sequence[Tensor]) -> None:
    observed = image.to_pil(y.float() / 255).convert("RGB")
    data = _animation([_beside(observed, frame) for frame in frames])
    with atomic(target) as part:
        part.write_bytes(data)
    item.facts["outputs"] += item.names(target)


def _beside(observed: Image.Image, frame: Tensor) -> Image.Image:
    """The observation, stretched to the size of the restoration, and the restoration, enlarged."""
    restored = image.to_pil(frame.float() / 255).convert("RGB")
    scale = max(1, min(SCALE, SIDE // max(restored.size)))
    size = (restored.width * scale, restored.height * scale)
    sheet = Image.new("RGB", (2 * size[0] + SCALE, size[1]), "white")
    sheet.paste(observed.resize(size, Image.Resampling.NEAREST), (0, 0))
    sheet.paste(restored.resize(size, Image.Resampling.NEAREST), (size[0] + SCALE, 0))
    return sheet


def _animation(pictures: Sequence[Image.Image]) -> bytes:
    stream = io.BytesIO()
    durations = [MILLISECONDS] * (len(pictures) - 1) + [2000]
    options = {"append_images": pictures[1:], "duration": durations, "loop": 0, "quality": 90}
    pictures[0].save(stream, format="WEBP", save_all=True, **options)
    return stream.getvalue()

"""The search of a solver as an animated picture: the observation beside the restoration, step by step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from restora import image
from restora.errors import RestoraError
from restora.figure import visible
from restora.files import Item
from restora.image import atomic
from restora.solvers import Step

FRAMES = 50
SCALE = 4
MILLISECONDS = 60


class Trace:
    """Collects about `FRAMES` steps of each item of the present batch; `write` makes STEM-trace.webp."""

    def __init__(self) -> None:
        self.items: Sequence[Item] = ()
        self.frames: list[Tensor] = []

    def watch(self, items: Sequence[Item], step: Step) -> None:
        self.items = items
        stride = max(1, step.total // FRAMES)
        if step.i % stride == 0 or step.i == 1 or step.samples is not None:
            self.frames.append(image.to_uint8(visible(step.x)).cpu())

    def write(self) -> None:
        """Write the animation of each item that was restored, and forget the frames."""
        for i, item in enumerate(self.items):
            if item.status == "done" and item.trace:
                try:
                    _write(item, item.trace, [frame[i] for frame in self.frames])
                except RestoraError as error:
                    item.fail(error)
        self.items, self.frames = (), []


def _write(item: Item, target: Path, frames: Sequence[Tensor]) -> None:
    observed = image.to_pil(visible(image.read(item.path).pixels)).convert("RGB")
    data = _animation([_beside(observed, frame) for frame in frames])
    with atomic(target) as part:
        part.write_bytes(data)
    item.facts["outputs"].append(target.name)


def _beside(observed: Image.Image, frame: Tensor) -> Image.Image:
    """The observation, stretched to the size of the restoration, and the restoration, enlarged."""
    restored = image.to_pil(frame.float() / 255).convert("RGB")
    size = (restored.width * SCALE, restored.height * SCALE)
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

"""What can be seen to be wrong with a picture, in plain words, each with the step that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from restora.errors import RestoraError
from restora.noise.level import estimate_sigma
from restora.operators.codec import tables
from restora.pictures.file import File
from restora.pictures.picture import Picture
from restora.web.requests import Finding, Step

VISIBLE = 80  # quality of a JPEG whose blocks hardly show
SMALL = 400  # pixels of the longer side


def find(file: File, picture: Picture) -> tuple[list[Finding], Tensor | None]:
    """What is found, and the mask (1, H, W), 1 where missing, that it proposes. Nothing is done unasked."""
    if find_spec("restora.inspection") is None:
        return list(_found(file, picture)), None
    inspection = import_module("restora.inspection").inspect(file)
    found = [_told(finding, inspection) for finding in inspection.findings if finding.task]
    return [*found, *_transparent(picture)], inspection.marks


def _told(finding: Any, inspection: Any) -> Finding:
    """As the page has it, of one of `restora.inspection`."""
    options = {name: value for name, value in finding.options.items() if isinstance(value, str | int | float)}
    chain = inspection.suggestion.task.split("+") if inspection.suggestion else []
    return Finding(
        name=finding.name,
        text=finding.text,
        confidence=finding.sure,
        step=Step(task=finding.task, options=options),
        mask="proposed" if finding.task == "inpaint" else None,
        suggested=finding.task in chain,
    )


def _found(file: File, picture: Picture) -> Iterator[Finding]:
    quality = _quality(file)
    if quality is not None and quality < VISIBLE:
        text = f"JPEG compression of quality {quality}: blocks and ringing are likely"
        yield Finding(name="jpeg", text=text, confidence="certain", step=Step(task="jpeg"))
    sigma = _sigma(picture) if quality is None or quality >= VISIBLE else 0
    if sigma > 0:
        text = f"Noise: about {sigma * 255:.1f} of 255 brightness levels"
        yield Finding(
            name="noise", text=text, confidence="likely", step=Step(task="denoise", options={"sigma": "auto"})
        )
    yield from _transparent(picture)
    if max(picture.size) <= SMALL:
        text = f"Small: {picture.size[1]} × {picture.size[0]} pixels"
        step = Step(task="superres", options={"scale": 2})
        yield Finding(name="small", text=text, confidence="certain", step=step, suggested=False)
    if len(picture.pixels) == 1 or (len(picture.pixels) == 3 and _is_grey(picture)):
        step = Step(task="colorize")
        yield Finding(name="grey", text="No colour", confidence="certain", step=step, suggested=False)


def _transparent(picture: Picture) -> Iterator[Finding]:
    if picture.alpha is not None:
        share = (picture.alpha < 1).float().mean().item()
        text = f"{max(share, 0.001):.1%} of it is transparent, and can be filled"
        yield Finding(name="alpha", text=text, step=Step(task="inpaint"), mask="alpha", suggested=False)


def _quality(file: File) -> int | None:
    """Of a JPEG, the quality of libjpeg whose tables are the nearest."""
    if file.head.jpeg is None:
        return None
    own = torch.tensor(file.head.jpeg.tables[0]).float()
    misfit = [(tables(q)[0].flatten() - own).abs().sum().item() for q in range(1, 101)]
    return 1 + misfit.index(min(misfit))


def _sigma(picture: Picture) -> float:
    try:
        with torch.no_grad():
            return estimate_sigma(picture.pixels[None]).item()
    except RestoraError:  # too small, or of channels that are no picture's
        return 0


def _is_grey(picture: Picture) -> bool:
    return bool((picture.pixels - picture.pixels[:1]).abs().max() < 1 / 255)

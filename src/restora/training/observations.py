"""Observations to train on: a degradation drawn at random from every registered task."""

from __future__ import annotations

import torch
from torch import Tensor

from restora.degradations import Degradation, degradations, named
from restora.degradations.task import one_of
from restora.errors import OptionError, ShapeError
from restora.pictures import colour

Observations = list[tuple[Tensor, Degradation]]


def fitting(shape: tuple[int, int, int]) -> list[str]:
    """The registered tasks that images of this shape can be put to; one that is blind becomes another."""
    names: list[str] = []
    for name in degradations.names():
        try:
            degradation = named.build(name, shape[1:])
            degradation.operator.observed_shape(shape)
        except (ShapeError, OptionError):
            continue
        names += [] if degradation.blind else [name]
    return names


def observe(x: Tensor, group: int, generator: torch.Generator) -> Observations:
    """Observations of images x (B, C, H, W), in order: a degradation drawn for every `group` of them."""
    shape = (x.shape[1], x.shape[2], x.shape[3])
    names, found = fitting(shape), []
    for part in x.split(group):
        cls = degradations.get(one_of(names, generator))
        degradation: Degradation = cls.random(shape, len(part), generator).to(x.device)
        found.append((rounded(part, degradation, generator), degradation))
    return found


def rounded(x: Tensor, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """An observation of x as a file of 8 bits holds it."""
    return colour.rounded(degradation(x, generator))

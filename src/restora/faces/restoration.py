"""Restore photos with the faces in them: the photo by one prior, then each of its faces by another.

x = the restoration of the whole photo from y;   faces: found in x
for each face, the smallest first:   x <- x + S (g - P x),  g from the same y  (`restora.faces.local`)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from restora import exposure, observation
from restora.errors import PairingError
from restora.faces.cascade import networks
from restora.faces.detection import find
from restora.faces.face import SIDE
from restora.faces.placing import Picture, Placed, place
from restora.isolation import isolated
from restora.observation import Observation, Seeds
from restora.pairing import Named
from restora.plan import Plan
from restora.plan import decide as decide_plain
from restora.priors import Prior, places
from restora.random import seed_of
from restora.result import Restoration
from restora.solvers import Solver, Step, solvers
from restora.tiles import TILE

OF_FACES = "faces64"
NONE = "no face was found, so all of it was restored by {}"


@dataclass(frozen=True)
class Faces:
    """The step after the restoration of a photo that restores its faces; `plan` is the plan for aligned
    faces."""

    plan: Plan

    @property
    def priors(self) -> tuple[Prior, ...]:
        return (self.plan.prior,) if self.plan.prior else ()

    def facts(self) -> dict[str, str]:
        return {"faces": self.plan.prior.name if self.plan.prior else ""}

    def run(
        self, whole: Plan, found: Restoration, seen: Observation, seeds: Seeds
    ) -> Generator[Step, None, Restoration]:
        """The photos of `found`, restored by the plan `whole`, with their faces."""
        assert whole.prior is not None
        dtype = observation.precision(seen.y, whole.prior)
        samples = torch.as_tensor(found.samples)
        std = None if found.std is None else torch.as_tensor(found.std)
        images = samples[:, 0].to(dtype, copy=True)
        pictures, placed = [], []
        for i in range(len(seen.y)):
            rows = torch.tensor([i], device=seen.y.device)
            spread = None if std is None else std[i].to(dtype)
            picture = Picture(
                seen.y[i : i + 1].to(dtype), found.degradation.take(rows), samples[i].to(dtype), spread
            )
            seed = seeds + i if isinstance(seeds, int) else seeds[i]
            after, faces = yield from self._bright(picture, whole, seed, images)
            images[i] = after.best[0]
            pictures.append(after)
            placed.append(faces)
        return _merged(found, seen, pictures, placed, whole.prior.name)

    def _bright(
        self, picture: Picture, whole: Plan, seed: int, images: Tensor
    ) -> Generator[Step, None, tuple[Picture, tuple[Placed, ...]]]:
        """A dark picture as bright as faces are known (`restora.exposure`), and as dark again."""
        light = exposure.brightened(picture.y, picture.degradation, self.plan.prior)
        if light is None:
            return (yield from self._faces(picture, whole, seed, images))
        y, degradation, (factor,) = light
        bright = picture.times(factor.item(), y, degradation)
        found, placed = yield from self._faces(bright, whole, seed, images)
        return found.times(1 / factor.item(), picture.y, picture.degradation), placed

    def _faces(
        self, picture: Picture, whole: Plan, seed: int, images: Tensor
    ) -> Generator[Step, None, tuple[Picture, tuple[Placed, ...]]]:
        """The picture with its faces. images: the batch so far, which each step shows."""
        placed = []
        for number, face in enumerate(reversed(find(picture.best))):
            work = place(picture, face, whole, self.plan, seed_of(f"face {number}", seed))
            while True:
                try:
                    next(work)
                except StopIteration as done:
                    picture, one = done.value
                    break
                yield Step(1, 1, images, images.new_zeros(len(images)))
            placed.append(one)
        return picture, tuple(placed)


def _merged(
    found: Restoration,
    seen: Observation,
    pictures: list[Picture],
    placed: list[tuple[Placed, ...]],
    name: str,
) -> Restoration:
    """name: of the prior of the whole photos."""
    found = replace(found, faces=tuple(placed), notes=tuple((_note(faces, name),) for faces in placed))
    if not any(one.share for faces in placed for one in faces):
        return found
    samples = _changed(torch.as_tensor(found.samples), [p.samples for p in pictures])
    with isolated(samples.dtype, found.degradation):
        squared = found.degradation.fidelity(samples[:, 0].to(seen.y), seen.y) / seen.y[0].numel()
    spreads = [p.std for p in pictures if p.std is not None]
    return replace(
        found,
        samples=seen.back(samples),
        image=seen.back(samples[:, 0]),
        residual=seen.back(squared.sqrt()),
        std=seen.back(_changed(torch.as_tensor(found.std), spreads)) if spreads else None,
    )


def _note(faces: tuple[Placed, ...], name: str) -> str:
    return f"{'; '.join(map(str, faces))}; all else: {name}" if faces else NONE.format(name)


def _changed(before: Tensor, after: list[Tensor]) -> Tensor:
    """`after` where it differs, and `before`, in its dtype to the bit, where it does not."""
    stacked = torch.stack(after)
    return torch.where(stacked != before.to(stacked), stacked.to(before), before)


def decide(
    method: str | Solver = "auto",
    prior: Named = None,
    *,
    samples: int = 1,
    uncertainty: bool = False,
    device: str = "auto",
    tile: int = TILE,
    make: Callable[[str], Solver] = lambda name: solvers.get(name)(),
) -> Plan:
    """Make a plan for photos with faces. Arguments are those of `restora.decide`; `prior` is the prior for
    the photo.

    Raises:
        PackageError: without the extra `faces`.
        WeightsError: if no prior of faces is installed.
        PairingError: for a method or prior that cannot be combined with faces.
    """
    networks()
    shared: dict[str, Any] = {"samples": samples, "uncertainty": uncertainty, "device": device, "make": make}
    whole = decide_plain(method, prior, tile=tile, images=(3, 0, 0), **shared)
    if whole.prior is None or not whole.prior.any_size:
        have = "none" if whole.prior is None else repr(whole.prior.name)
        raise PairingError(
            f"faces=True needs a method with a prior of photos of any size beside that of faces; method "
            f"{whole.method!r} has {have}. Use method='auto' or 'lmmse', and leave the prior out"
        )
    face = decide_plain(method, None, images=(3, SIDE, SIDE), **shared)
    if face.prior is None or face.prior.any_size:
        raise places.missing(OF_FACES)
    return replace(whole, then=Faces(face))

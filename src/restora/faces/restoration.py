"""Restore photos with the faces in them: the photo by one prior, then each of its faces by another.

x = the restoration of the whole photo from y;   faces: found in x
for each face, the smallest first:   x <- x + S (g - P x),  g from the same y  (`restora.faces.local`)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restora import observation
from restora.degradations import Degradation
from restora.errors import PairingError
from restora.faces.cascade import networks
from restora.faces.detection import find
from restora.faces.face import SIDE
from restora.faces.placing import Picture, Placed, place
from restora.isolation import isolated
from restora.observation import Seeds
from restora.pairing import Named
from restora.plan import Plan, finish
from restora.plan import decide as decide_plain
from restora.priors import places
from restora.random import seed_of
from restora.result import Restoration
from restora.solvers import Solver, Step, solvers
from restora.tiles import TILE

OF_FACES = "faces64"
NONE = "no face was found, so all of it was restored by {}"


@dataclass(frozen=True)
class FacesRestoration(Restoration):
    """The result for photos with faces.

    Attributes:
        faces: for each image, the faces that were found and the prior that restored each, smallest first.
    """

    faces: tuple[tuple[Placed, ...], ...] = ()


@dataclass(frozen=True)
class FacesPlan(Plan):
    """A plan for whole photos, and `faces`, the plan for aligned faces; made by `decide`."""

    faces: Plan = field(kw_only=True)

    @property
    def prior_of_faces(self) -> str:
        return self.faces.prior.name if self.faces.prior else ""

    def run(self, y: Any, degradation: Degradation, seeds: Seeds = 0) -> Generator[Step, None, Restoration]:
        found = yield from super().run(y, degradation, seeds)
        seen = observation.receive(y, degradation, lambda shape: self.fit(degradation, shape))
        own = observation.seeds_of(seeds, len(seen.y))
        dtype = observation.precision(seen.y, self.prior)
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
            seed = own + i if isinstance(own, int) else own[i]
            after, faces = yield from self._faces(picture, seed, images)
            images[i] = after.best[0]
            pictures.append(after)
            placed.append(faces)
        return self._merged(found, seen, pictures, placed)

    def _faces(
        self, picture: Picture, seed: int, images: Tensor
    ) -> Generator[Step, None, tuple[Picture, tuple[Placed, ...]]]:
        """The picture with its faces. images: the batch so far, which each step shows."""
        placed = []
        for number, face in enumerate(reversed(find(picture.best))):
            work = place(picture, face, self, self.faces, seed_of(f"face {number}", seed))
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
        self,
        found: Restoration,
        seen: observation.Observation,
        pictures: list[Picture],
        placed: list[tuple[Placed, ...]],
    ) -> FacesRestoration:
        values = {name: getattr(found, name) for name in found.__dataclass_fields__}
        if not any(one.share for faces in placed for one in faces):
            return FacesRestoration(**values | {"notes": self._notes(placed), "faces": tuple(placed)})
        samples = _changed(torch.as_tensor(found.samples), [p.samples for p in pictures])
        with isolated(samples.dtype, found.degradation):
            squared = found.degradation.fidelity(samples[:, 0].to(seen.y), seen.y) / seen.y[0].numel()
        values |= {
            "samples": seen.back(samples),
            "image": seen.back(samples[:, 0]),
            "residual": seen.back(squared.sqrt()),
            "notes": self._notes(placed),
            "faces": tuple(placed),
        }
        if found.std is not None:
            spreads = [p.std for p in pictures if p.std is not None]
            values["std"] = seen.back(_changed(torch.as_tensor(found.std), spreads))
        return FacesRestoration(**values)

    def _notes(self, placed: list[tuple[Placed, ...]]) -> tuple[tuple[str, ...], ...]:
        name = self.prior.name if self.prior is not None else ""
        rest = f"; all else: {name}"
        return tuple(
            ("; ".join(map(str, faces)) + rest,) if faces else (NONE.format(name),) for faces in placed
        )


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
) -> FacesPlan:
    """The plan for photos with faces. Arguments are those of `restora.decide`; `prior` is that of the photo.

    Raises:
        PackageError: without the extra `faces`.
        WeightsError: without a prior of faces.
        PairingError: for a method or prior that cannot do without faces.
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
    values = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    return FacesPlan(**values, faces=face)


def restore(
    y: Tensor | np.ndarray,
    degradation: Degradation,
    *,
    method: str | Solver = "auto",
    prior: Named = None,
    samples: int = 1,
    uncertainty: bool = False,
    seed: Seeds = 0,
    device: str = "auto",
    tile: int = TILE,
) -> FacesRestoration:
    """As `restora.restore`, for photos with faces: each face that is found is restored by a prior of faces
    from the same y, where that is likely to help, and all else by a prior of photos.

    `faces` of the result says which prior was used for each, `notes` says it in words.
    """
    plan = decide(method, prior, samples=samples, uncertainty=uncertainty, device=device, tile=tile)
    found = finish(plan.run(y, degradation, seed))
    assert isinstance(found, FacesRestoration)
    return found

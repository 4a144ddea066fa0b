"""One face of one picture: whether its prior is used, how it is aligned, and what comes of it.

predict    the error with and without the prior of faces, were pictures Gaussian
restore    the face from y, seen through the degradation; put it into the picture
align      find it again there, more clearly than before, until its points stay
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace

from torch import Tensor

from restora.degradations import Degradation
from restora.faces.detection import again, moved
from restora.faces.face import SIDE, Face
from restora.faces.local import ERROR, Local, local
from restora.faces.prediction import errors
from restora.gaussian.covariance import Covariance
from restora.isolation import isolated
from restora.plan import Plan
from restora.priors import Prior
from restora.solvers import Step

ROUNDS, STILL = 3, 0.7  # alignments at most; pixels of the aligned face that its points may still move
FINEST = 2.0  # pixels of the picture to one of the aligned face, at most
LEAST, ALL, FINER = 1.8, 3.3, 1.5
"""Predicted gains in dB from which on the face takes part, and takes all; a face of half the size gains FINER
more than that, since its network knows more than its Gaussian does. By `benchmarks/faces.py gain`."""
TINY = 1e-6
WORSE = 4 * ERROR  # by which the misfit to y may grow


@dataclass(frozen=True)
class Placed:
    """A detected face, and the prior that restored it.

    Attributes:
        share: weight of the restored face, from 0 (the photo's own prior restored this area) to 1.
        reason: why the weight is 0.
        predicted: the expected gain by the prior of faces, in dB.
    """

    face: Face
    prior: str
    share: float = 0.0
    reason: str = ""
    predicted: float | None = None

    def __str__(self) -> str:
        left, top, right, bottom = self.face.box
        where = f"face of {self.face.size:.0f} pixels at ({(left + right) / 2:.0f}, {(top + bottom) / 2:.0f})"
        mixed = f", {self.share:.0%} of it" if 0 < self.share < 1 else ""
        return f"{where}: {self.prior}{mixed or (f', since {self.reason}' if self.reason else '')}"


@dataclass(frozen=True)
class Picture:
    """What is known of one picture while its faces are restored: samples (K, C, H, W), the first the best,
    and their standard deviation (C, H, W), if it is known."""

    y: Tensor
    degradation: Degradation
    samples: Tensor
    std: Tensor | None = None

    @property
    def best(self) -> Tensor:
        return self.samples[:1]

    def times(self, factor: float, y: Tensor, degradation: Degradation) -> Picture:
        """The picture `factor` times as bright, of such observations."""
        std = None if self.std is None else factor * self.std
        return Picture(y, degradation, factor * self.samples, std)


def place(
    picture: Picture, face: Face, whole: Plan, faces: Plan, seed: int
) -> Generator[Step, None, tuple[Picture, Placed]]:
    """The picture with the face restored in it, by the plan `faces`, if that is likely to be nearer to the
    truth than what the plan `whole` made of it."""
    assert whole.prior is not None
    assert faces.prior is not None
    left = Placed(face, whole.prior.name)
    if face.scale > FINEST:
        limit = f"{faces.prior.name} resolves {SIDE} pixels, and is used up to {FINEST * SIDE:.0f}"
        return picture, replace(left, reason=limit)
    with isolated(picture.best.dtype, picture.degradation):
        here = local(picture.degradation, picture.y, picture.best, face)
        predicted = _predict(here, face, picture, whole.prior, faces.prior)
    share = 1.0 if predicted is None else min(max((predicted - LEAST) / (ALL - LEAST), 0.0), 1.0)
    if share == 0:
        return picture, replace(
            left, reason=f"{faces.prior.name} would hardly add to it", predicted=predicted
        )
    for number in range(ROUNDS):
        found = yield from faces.run(here.y, here.degradation, [seed])
        with isolated(picture.best.dtype, picture.degradation):
            result = _put(picture, here, face, found.samples[0], found.std, share)
            seen = again(result.best[0], face) if number + 1 < ROUNDS else None
            if seen is None or moved(face, seen) < STILL:
                break
            face = seen
            here = local(picture.degradation, picture.y, picture.best, face)
    if here.misfit(result.best) > here.misfit(picture.best) + WORSE:
        return picture, replace(left, reason="it does not fit what is observed", predicted=predicted)
    return result, Placed(face, faces.prior.name, share, predicted=predicted)


def _predict(here: Local, face: Face, picture: Picture, whole: Prior, faces: Prior) -> float | None:
    """The gain by the prior of faces, in dB; None where a prior has no Gaussian."""
    channels, height, width = picture.best.shape[1], here.window.height, here.window.width
    of_face = _covariance(faces.with_channels(channels))
    of_picture = _covariance(whole.with_channels(channels).sized(height, width))
    if of_face is None or of_picture is None:
        return None
    mask = face.mask(here.window).to(picture.best)
    before, after = errors(here, mask, of_face, of_picture, here.window.of(picture.best))
    return 20 * math.log10(max(before, TINY) / max(after, TINY)) - FINER * math.log2(face.scale)


def _covariance(prior: Prior) -> Covariance | None:
    return getattr(getattr(prior, "gaussian", prior), "covariance", None)


def _put(
    picture: Picture, here: Local, face: Face, aligned: Tensor, std: Tensor | None, share: float
) -> Picture:
    samples = here.put(picture.samples, aligned.to(picture.samples), share)
    if std is None or picture.std is None:
        return replace(picture, samples=samples)
    spread = picture.std.clone()
    own = here.window.of(spread)
    weight = share * face.mask(here.window).to(own)
    own.copy_((1 - weight) * own + share * here.spread(std[0].to(own)[None])[0].clamp(min=0))
    return replace(picture, samples=samples, std=spread)

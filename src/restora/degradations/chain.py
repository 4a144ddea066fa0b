"""One degradation after the other. Operators compose; noise comes after all of them, and sums up.

    y = n_k(... n_2(n_1(A_m ... A_2 A_1 x)))

Two kinds of noise in a row are one where a formula is known: white Gaussian noise and what `Noise.follows`
and `Noise.precedes` say (rounding, JPEG, salt and pepper after it, photons before it).
"""

from __future__ import annotations

import dataclasses
import math

from restora.degradations.base import Degradation
from restora.errors import OptionError
from restora.noise import Noise
from restora.operators import compose


class Chain(Degradation):
    """Several degradations, in the order in which they happened.

    `Chain(Blur(sigma=0), Downsample(2), AdditiveNoise(0.02), JPEG(40))` blurs first.

    Args:
        parts: the degradations.

    Raises:
        OptionError: for noise before an operator, and for noise that cannot follow other noise.
    """

    def __init__(self, *parts: Degradation):
        if not parts:
            raise OptionError("Chain: expected degradations, got none")
        noise = parts[0].noise
        for k, part in enumerate(parts[1:], 1):
            noise = _joined(noise, parts[:k], part)
        super().__init__(compose(*(part.operator for part in parts)), noise)
        self.parts = parts


def _joined(noise: Noise, before: tuple[Degradation, ...], part: Degradation) -> Noise:
    """That of what came before, and then of one more part."""
    if noise.linear and noise.level == 0:
        return part.noise
    source = next(p for p in reversed(before) if not (p.noise.linear and p.noise.level == 0))
    if part.operator.mask is None and not part.operator.identity:
        raise OptionError(
            f"{_name(part)} cannot come after {_name(source)}: noise and rounding come last. Put "
            f"{_name(part)} first{_silent(source)}"
        )
    if part.noise.linear and part.noise.level == 0:
        if part.operator.mask is not None and not noise.separable:
            raise OptionError(
                f"{_name(part)} cannot come after {_name(source)}, because it would break the JPEG blocks"
            )
        return noise
    if noise.linear and noise.follows and part.noise.follows:
        return _with(part.noise, noise.level)
    if part.noise.linear and part.noise.follows and noise.precedes:
        return _with(noise, part.noise.level)
    raise OptionError(_incompatible(noise, source, part))


def _with(noise: Noise, sigma: float) -> Noise:
    """With so much more white Gaussian noise."""
    return dataclasses.replace(noise, sigma=math.hypot(noise.level, sigma))  # type: ignore[call-arg]


def _silent(source: Degradation) -> str:
    """How to do without the noise of a part that has an operator of its own."""
    return "" if source.operator.identity else f", or set sigma to 0 in {_name(source)}"


def _incompatible(noise: Noise, source: Degradation, part: Degradation) -> str:
    """Why one noise cannot follow the other, and what to do."""
    gaussian = noise.linear or (noise.blind and not _rounds(noise))
    if gaussian and noise.blind and _rounds(part.noise):
        return (
            f"sigma: 'auto' is found where noise is last, not before {_name(part)}; expected a number. "
            "restora.inspection.fill finds one"
        )
    text = f"{_name(part)} cannot follow {_name(source)}"
    if (_rounds(noise) and not _rounds(part.noise)) or gaussian:
        return f"{text}; put {_name(part)} first"
    return f"{text}; use only the stronger of the two"


def _rounds(noise: Noise) -> bool:
    """Whether it is what can follow Gaussian noise."""
    return noise.follows and not noise.linear


def _name(part: Degradation) -> str:
    from restora.degradations.named import task_name

    return task_name(part)

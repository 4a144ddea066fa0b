"""A column of the table: a method, perhaps with the prior that it is to use, METHOD or METHOD@PRIOR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from restora.errors import OptionError, PairingError, RestoraError, ShapeError
from restora.plan import Plan, decide
from restora.priors import store
from restora.solvers import solvers

LEFT_OUT = ("reference", "dflow", "dps", "bm3d")
"""Methods that are too slow to be run unless they are asked for by name."""


@dataclass(frozen=True)
class Method:
    """A method of a benchmark. `label` is METHOD, or METHOD@NAME if a prior was given. `weights` describes
    the prior."""

    label: str
    plan: Plan
    weights: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, shape: tuple[int, int, int], device: str = "auto") -> Method:
        """METHOD or METHOD@PRIOR, PRIOR the name of one that ships or a folder, for images of this shape
        (C, H, W). Raises a RestoraError."""
        name, at, source = text.partition("@")
        cls_ = solvers.get(name)
        if at and not source:
            raise OptionError(f"expected METHOD@PRIOR, got no prior in {text!r}; write {name}", "methods")
        if at and cls_.needs is None:
            raise OptionError(f"method {name!r} uses no prior; write {name} in place of {text}", "methods")
        plan = decide(name, source or None, device=device, images=shape)
        label = f"{name}@{plan.prior.name}" if at and plan.prior else name
        return cls(label, plan, store.facts(plan.prior, source or None))

    @property
    def name(self) -> str:
        """That of the method alone."""
        return self.plan.method

    def check(self, shape: tuple[int, int, int]) -> None:
        """ShapeError unless the prior makes images of this shape (C, H, W)."""
        prior = self.plan.prior
        if prior is None or prior.fits(shape):
            return
        name = f"method {self.label!r}: prior {prior.name!r}"
        if prior.image_shape[0] != shape[0]:
            raise ShapeError(
                f"{name} makes images of {prior.image_shape[0]} channels, and these have {shape[0]}; "
                f"add channels={prior.image_shape[0]}, or train a prior and write {self.name}@DIR"
            )
        has, wants = (f"{s[2]}x{s[1]}" for s in (prior.image_shape, shape))
        raise ShapeError(
            f"{name} makes {has} images, and these are {wants}; "
            f"scale them, or train a prior and write {self.name}@DIR"
        )

    def facts(self) -> dict[str, Any]:
        return {"method": self.name, "settings": self.plan.settings, **self.weights}


def named(texts: Sequence[str], shapes: Sequence[tuple[int, int, int]], device: str = "auto") -> list[Method]:
    """The methods that were asked for; a RestoraError for the first that images of these shapes (C, H, W) do
    not allow."""
    behind = shapes[0] if len(shapes) == 1 else (shapes[0][0], 0, 0)
    methods = [Method.parse(text, behind, device) for text in texts]
    labels = [method.label for method in methods]
    for i, method in enumerate(methods):
        if method.label in labels[:i]:
            raise OptionError(f"{method.label!r} is given twice; give each method once", "methods")
        for shape in shapes:
            method.check(shape)
    return methods


def all_usable(
    shapes: Sequence[tuple[int, int, int]], device: str = "auto"
) -> tuple[list[Method], list[str]]:
    """Every registered method that can be used on such images, and why not of each other one."""
    methods, errors = [], []
    for name in solvers.names():
        if name in LEFT_OUT:
            continue
        try:
            methods += named([name], shapes, device)
        except RestoraError as error:
            text = str(error)
            errors.append(text if text.startswith("method") else f"method {name!r}: {text}")
    if not methods:
        raise PairingError(f"no method can be used on these images: {'; '.join(errors)}")
    return methods, errors

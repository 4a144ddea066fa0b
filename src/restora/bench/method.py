"""A column of the table: a method, perhaps with the prior that it is to use, METHOD or METHOD@PRIOR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from restora.errors import OptionError, PairingError, RestoraError, ShapeError
from restora.priors import Prior, store
from restora.restoration import choose
from restora.runs.items import digest
from restora.solvers import Solver, solvers

LEFT_OUT = ("reference", "dflow", "dps", "bm3d")
"""Methods that are too slow to be run unless they are asked for by name."""


@dataclass(frozen=True)
class Method:
    """`label` is METHOD, or METHOD@NAME where a prior was given, and tells methods apart."""

    label: str
    name: str
    solver: Solver
    prior: Prior | None
    prior_sha256: str | None

    @classmethod
    def parse(cls, text: str, shape: tuple[int, int, int]) -> Method:
        """METHOD or METHOD@PRIOR, PRIOR the name of one that ships or a folder, for images of this shape
        (C, H, W). Raises a RestoraError."""
        name, at, source = text.partition("@")
        cls_ = solvers.get(name)
        if at and not source:
            raise OptionError(f"--methods {text}: expected METHOD@PRIOR, got no prior; write {name}")
        if at and cls_.needs is None:
            raise OptionError(f"--methods {text}: method {name!r} uses no prior; write {name}")
        _, solver, prior = choose(name, source or None, shape)
        sha = None
        if prior is not None:
            sha = digest(store.folder(source or prior.name) / store.WEIGHTS)
        return cls(f"{name}@{prior.name}" if at and prior else name, name, solver, prior, sha)

    def check(self, shape: tuple[int, int, int]) -> None:
        """ShapeError unless the prior makes images of this shape (C, H, W)."""
        if self.prior is None or self.prior.fits(shape):
            return
        name = f"method {self.label!r}: prior {self.prior.name!r}"
        if self.prior.image_shape[0] != shape[0]:
            raise ShapeError(
                f"{name} makes images of {self.prior.image_shape[0]} channels, and these have {shape[0]}; "
                f"add --channels {self.prior.image_shape[0]}, or train a prior and write {self.name}@DIR"
            )
        has, wants = (f"{s[2]}x{s[1]}" for s in (self.prior.image_shape, shape))
        raise ShapeError(
            f"{name} makes {has} images, and these are {wants}; "
            f"scale them, or train a prior and write {self.name}@DIR"
        )

    def facts(self) -> dict[str, Any]:
        prior = {} if self.prior is None else {"prior": self.prior.name, "prior sha256": self.prior_sha256}
        return {"method": self.name, "settings": vars(self.solver), **prior}


def named(texts: Sequence[str], shapes: Sequence[tuple[int, int, int]]) -> list[Method]:
    """The methods that were asked for; a RestoraError for the first that images of these shapes (C, H, W) do
    not allow."""
    behind = shapes[0] if len(shapes) == 1 else (shapes[0][0], 0, 0)
    methods = [Method.parse(text, behind) for text in texts]
    labels = [method.label for method in methods]
    for i, method in enumerate(methods):
        if method.label in labels[:i]:
            raise OptionError(f"--methods: {method.label!r} comes twice; name each once")
        for shape in shapes:
            method.check(shape)
    return methods


def all_usable(shapes: Sequence[tuple[int, int, int]]) -> tuple[list[Method], list[str]]:
    """Every registered method that can be used on such images, and why not of each other one."""
    methods, errors = [], []
    for name in solvers.names():
        if name in LEFT_OUT:
            continue
        try:
            methods += named([name], shapes)
        except RestoraError as error:
            text = str(error)
            errors.append(text if text.startswith("method") else f"method {name!r}: {text}")
    if not methods:
        raise PairingError(f"no method can be used on these images: {'; '.join(errors)}")
    return methods, errors

"""What goes with what: the solver of a method, its prior, and the shapes of observations and images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from restora.degradations import Degradation
from restora.degradations.named import task_name
from restora.errors import OptionError, PairingError, ShapeError
from restora.operators.base import Shape
from restora.priors import FlowPrior, Prior, load_prior, places, store
from restora.solvers import Solver, solvers

COLOURS, KEPT = 3, 2
Named = str | Path | Prior | None


def pair(
    method: str | Solver, prior: Named, images: Shape | None, make: Callable[[str], Solver]
) -> tuple[Solver, Prior | None]:
    """The solver and its prior. PairingError where they do not fit each other."""
    model = _loaded(prior) if isinstance(prior, str | Path) else prior
    if method == "auto":
        model = model or _shipped(method, FlowPrior, images)
        method = auto(model)
    named = isinstance(method, str)
    solver = make(method) if isinstance(method, str) else method
    name = name_of(solver)
    if named and model is not None and solver.needs is None:
        raise PairingError(f"method {name!r} uses no prior; leave the prior out, or use method='auto'")
    if model is None and solver.needs is not None:
        model = _shipped(name, solver.needs, images)
    solver.check(name, model)
    return solver, model


def auto(prior: Prior | None) -> str:
    """The first method that is registered for this kind of prior."""
    if not isinstance(prior, Prior | None):
        raise OptionError(
            f"expected the name of a prior, its folder, or a Prior, got {type(prior).__name__}", "prior"
        )
    for name, cls in solvers:
        if cls.needs is not None and isinstance(prior, cls.needs):
            return name
    raise PairingError(f"no method is known for a {type(prior).__name__}; choose one with method='NAME'")


def _shipped(method: str, kind: type[Prior], images: Shape | None) -> Prior:
    """The first of this kind that ships for such images, else the first; PairingError where none does."""
    first: Prior | None = None
    for name in kind.shipped:
        if name in store.names():
            model = _loaded(name)
            if images is None or model.fits(images):
                return model
            first = first or model
    if first is None:
        apart = [name for name in kind.shipped if name in places.APART]
        remedy = f"{apart[0]!r} is one. {places.remedy(apart[0])}" if apart else "Train one, and name it"
        raise PairingError(f"method {method!r} needs a {kind.__name__}, and none is installed. {remedy}")
    return first


def _loaded(name: str | Path) -> Prior:
    """The prior of that name, loaded once while its file stays the same; not to be written to."""
    folder = store.folder(name)
    state = (folder / places.WEIGHTS).stat()
    return _kept(folder.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=KEPT)
def _kept(folder: Path, *state: int) -> Prior:
    return load_prior(folder)


def check_gradients(solver: Solver) -> None:
    """PairingError unless gradients pass through the solver."""
    if not solver.differentiable:
        known = ", ".join(name for name, cls in solvers if cls.differentiable)
        raise PairingError(
            f"method {name_of(solver)!r} does not support gradients; expected one of {known}, or "
            "differentiable=False"
        )


def name_of(solver: Solver) -> str:
    """The name that the solver is registered by, or that of its class."""
    return next((name for name, cls in solvers if cls is type(solver)), type(solver).__name__)


def behind(degradation: Degradation, observed: Shape, prior: Prior | None) -> Shape:
    """The shape (C, H, W) of the images behind observations of the shape `observed` each.

    ShapeError unless `degradation` makes such observations of images of the prior's size; of any size without
    a prior, or with one that takes any. Images have as many channels as those of the prior; or one, where
    the observations are of such images and the prior has a form for them.
    """
    operator = degradation.operator
    if prior is not None and not prior.any_size:
        height, width = prior.image_shape[1:]
        for image in (prior.image_shape, (1, height, width)):
            with contextlib.suppress(ShapeError):
                if prior.fits(image) and tuple(operator.observed_shape(image)) == observed:
                    return image
        expected = tuple(operator.observed_shape(prior.image_shape))
        raise ShapeError(
            f"the observation is {describe(observed)}, but prior {prior.name!r} makes {width}x{height} "
            f"images with {_channels(prior.image_shape[0])}, so {task_name(degradation)} needs "
            f"{describe(expected)}. {_remedy(observed, expected, prior.image_shape[0] == expected[0])}"
        )
    channels = prior.image_shape[0] if prior is not None else observed[0] if len(observed) == 3 else COLOURS
    try:
        shape = tuple(operator.image_shape(observed, channels))
    except (ValueError, IndexError):  # an operator on images, and fewer axes than they have
        shape = ()
    if len(shape) != 3:
        raise ShapeError(f"the observations are of shape {observed} each; expected (B, C, H, W)")
    expected = tuple(operator.observed_shape(shape))
    if observed != expected:
        raise ShapeError(
            f"the observation is {describe(observed)}, but that of an image of {describe(shape)} is "
            f"{describe(expected)}. {_remedy(observed, expected)}"
        )
    if prior is not None and not prior.fits(shape):
        raise ShapeError(
            f"the observation is {describe(observed)}, but prior {prior.name!r} makes images with "
            f"{_channels(channels)}; {task_name(degradation)} needs a prior of as many channels as the "
            "picture has"
        )
    return shape


def describe(shape: Sequence[int]) -> str:
    """(C, H, W) as people say it: 64x48 (width x height) with 3 channels."""
    if len(shape) != 3:
        return f"of shape {tuple(shape)}"
    return f"{shape[2]}x{shape[1]} with {_channels(shape[0])}"


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count != 1 else ''}"


def _remedy(observed: Shape, expected: Shape, same: bool = False) -> str:
    """What to do about an observation of another shape. `same`: images have as many channels as it should."""
    if len(observed) != 3 or len(expected) != 3:
        return f"Expected observations (B, {', '.join(map(str, expected))})"
    if observed[1:] == expected[1:]:
        more = f", or use a prior of {_channels(observed[0])}" if same else ""
        return f"Give {_channels(expected[0])}{more}"
    if observed[0] == expected[0]:
        return "Crop or scale it to that size"
    return "Give that size and as many channels"

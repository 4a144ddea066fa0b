"""The tree of exceptions. Every message says what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RestoraError(Exception):
    """Base of every error that restora raises on purpose; its text is one line for the user."""


class ImageError(RestoraError):
    """A file that cannot be read or written as an image."""


class MaskError(ImageError):
    """A mask that does not fit its picture, or leaves nothing to do or nothing to see."""


class ShapeError(RestoraError):
    """A tensor or an image whose size does not fit the degradation or the prior."""


class ObservationError(RestoraError):
    """Values that are no observation or image: not finite, of another range, or not floats."""


class CallError(RestoraError):
    """A function or network of the user's that failed; its own error is the cause."""


class UnknownNameError(RestoraError):
    """A task, method or prior that is not registered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]):
        super().__init__(kind, name, tuple(known))  # not the text: pickling calls this with the args

    def __str__(self) -> str:
        kind, name, known = self.args
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        return f"unknown {kind} {name!r}. {hint}Known: {', '.join(known) or 'none'}."


class PairingError(RestoraError):
    """A solver that cannot work with the prior or the degradation it was given."""


class ResultError(RestoraError):
    """A restoration that is no image: with NaN or infinite values."""


class PackageError(RestoraError):
    """A method whose optional package is not installed."""


class WeightsError(RestoraError):
    """A weights file or card that is missing, corrupted or not one of restora's."""


class OptionError(RestoraError):
    """An option whose value, or whose use here, makes no sense.

    `name` is that of the argument, where one is to blame; the text begins with it.
    """

    def __init__(self, problem: str, name: str | None = None):
        super().__init__(problem)
        self.name = name

    @property
    def problem(self) -> str:
        """The text without the name."""
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}" if self.name else self.problem


class RestorationWarning(UserWarning):
    """A restoration that is probably not what it could be; the text says why."""


class DataError(RestoraError):
    """Training data that is missing, empty or unusable."""


class TrainingError(RestoraError):
    """A training run that diverged or collapsed; the last good checkpoint is kept."""


class OutputError(RestoraError):
    """An output folder or file that cannot be written."""

"""The tree of exceptions. Every message says what was expected, what was found, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher

ALIKE = 0.85  # two words that are one, misspelt, by difflib's ratio
STEM = 6  # letters that words of one family share, at least


class RestoraError(Exception):
    """Base of all errors that restora raises on purpose; the message is one line for the user."""


class ImageError(RestoraError):
    """A file that cannot be read or written as an image."""


class MaskError(ImageError):
    """A mask that does not fit its image, or that marks nothing or nearly everything as missing."""


class ShapeError(RestoraError):
    """A tensor or an image whose size does not fit the degradation or the prior."""


class ObservationError(RestoraError):
    """Values that are not an observation or an image: not finite, out of range, or not floats."""


class CallError(RestoraError):
    """A function or network of the user that raised an exception; this is its cause."""


class UnknownNameError(RestoraError):
    """A task, method or prior that is not registered."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], words: Mapping[str, Sequence[str]] | None = None
    ):
        """words: other words for what is known, by its name."""
        super().__init__(kind, name, tuple(known), dict(words or {}))  # pickling calls this with the args

    def __str__(self) -> str:
        kind, name, known, words = self.args
        near = nearest(str(name), words) or difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
        hint = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        return f"unknown {kind} {name!r}. {hint}Known: {', '.join(known) or 'none'}."


def nearest(text: str, words: Mapping[str, Sequence[str]]) -> list[str]:
    """The names, two at most, that have a word or phrase that is in the text, or nearly; best first."""
    parts = re.findall(r"[a-z0-9]+", text.lower())

    def likeness(phrase: str) -> float:
        size = phrase.count(" ") + 1
        runs = [" ".join(parts[i : i + size]) for i in range(len(parts))]
        return max(_likeness(phrase, run) for run in (*runs, "".join(parts)))

    best = {name: max(map(likeness, filter(None, own))) for name, own in words.items()}
    found = sorted((name for name in best if best[name] >= ALIKE), key=lambda name: -best[name])
    return [name for name in found if best[name] == 1 or best[found[0]] < 1][:2]


def _likeness(a: str, b: str) -> float:
    """1 for the same; at least ALIKE where one is the other misspelt, or begins like it: upscaling."""
    family = min(len(a), len(b)) >= STEM and a[:STEM] == b[:STEM]
    return max(SequenceMatcher(None, a, b).ratio(), ALIKE if family else 0)


class PairingError(RestoraError):
    """A solver that cannot use the prior or restore the degradation."""


class ResultError(RestoraError):
    """A restoration that contains NaN or infinite values."""


class PackageError(RestoraError):
    """A method whose optional package is not installed."""


class WeightsError(RestoraError):
    """A weight file or card that is missing, damaged, or not from restora."""


class OptionError(RestoraError):
    """An option with an invalid value, or one that cannot be used here.

    `name` is the name of the argument, if there is one; the message begins with it.
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
    """A restoration that is probably worse than it could be; the message says why."""


class DataError(RestoraError):
    """Training data that is missing, empty or unusable."""


class TrainingError(RestoraError):
    """A training run that diverged or collapsed; the last good checkpoint is kept."""


class OutputError(RestoraError):
    """An output folder or file that cannot be written."""

"""What a degradation is, in a word: the rows of the tables of settings that are best for each."""

from __future__ import annotations

from typing import Any

from restora.degradations import Degradation
from restora.noise import Noise, noises
from restora.operators import Operator, operators
from restora.registry import Registry

OTHER = "other"


def kind(degradation: Degradation) -> str:
    """The registered name of its operator, or, where that is the identity, of its noise; `other` for those
    without a name."""
    operator = _name(degradation.operator, operators)
    return operator if operator != "identity" else _name(degradation.noise, noises)


def _name(part: Operator | Noise, registry: Registry[Any]) -> str:
    return next((name for cls in type(part).__mro__ if (name := registry.name_of(cls))), OTHER)

"""What a degradation is, in a word: the rows of the tables of settings that are best for each."""

from __future__ import annotations

from restora.degradations import Degradation
from restora.noise import noises
from restora.operators import operators

OTHER = "other"


def kind(degradation: Degradation) -> str:
    """The registered name of its operator, or, where that is the identity, of its noise; `other` for those
    without a name."""
    operator = operators.name_of(type(degradation.operator)) or OTHER
    return operator if operator != "identity" else noises.name_of(type(degradation.noise)) or OTHER

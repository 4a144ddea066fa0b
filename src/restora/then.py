"""What may follow the restoration of whole images: something of their own for parts of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Protocol

from restora.observation import Observation, Seeds
from restora.priors import Prior
from restora.result import Restoration
from restora.solvers import Step

if TYPE_CHECKING:
    from restora.plan import Plan


class Then(Protocol):
    """What comes after a restoration of whole pictures, from the same observations: `restora.faces`."""

    @property
    def priors(self) -> tuple[Prior, ...]:
        """Those that it uses."""
        ...

    def facts(self) -> dict[str, str]:
        """What a manifest says of it."""
        ...

    def run(
        self, plan: Plan, found: Restoration, seen: Observation, seeds: Seeds
    ) -> Generator[Step, None, Restoration]:
        """The restoration `found` by `plan`, with what comes after it."""
        ...

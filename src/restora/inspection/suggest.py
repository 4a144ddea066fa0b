"""From findings to a task: the damage in the order in which it happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from restora.degradations.members import ORDER, join
from restora.inspection.finding import Finding, Suggestion


def suggest(findings: Sequence[Finding]) -> Suggestion | None:
    """What undoes all that is likely; None where nothing is."""
    found = {finding.task: finding for finding in findings if finding.task and finding.confidence >= 0.5}
    if not found:
        return None
    chosen = [task for task in ORDER if task in found]
    options: dict[str, Any] = {}
    for task in chosen:
        options |= found[task].options
    if "deblur" in chosen and "denoise" in chosen:
        chosen.remove("denoise")  # the noise of a blurred picture is among the options of deblur
    if chosen == ["denoise"]:
        options = {}  # where restore finds more of it than a number
    return Suggestion(join(chosen), options, tuple(found))

"""What samples and uncertainty will cost, said before they are begun."""

from __future__ import annotations

from restora.degradations import Degradation
from restora.plan import Plan


def cost(plan: Plan, example: Degradation) -> str | None:
    """In a line, how much longer it takes than one restoration of such a degradation; None where it does not,
    or nobody knows."""
    if plan.plain is None or plan.solver == plan.plain:
        return None
    many, one = plan.solver.evaluations(example), plan.plain.evaluations(example)
    if not many or not one or many <= one:
        return None
    what = "solves" if getattr(plan.prior, "network", None) is None else "evaluations of the network"
    return (
        f"samples and uncertainty take about {many / one:.0f} times as long as one restoration "
        f"({many} {what} a picture, not {one})"
    )

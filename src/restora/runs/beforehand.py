"""What a user should know of a run before it begins: what it will cost, and what it cannot do."""

from __future__ import annotations

from restora.degradations import Degradation
from restora.plan import Plan
from restora.priors import Prior
from restora.runs.task import Task

NOTICED = 2
FAINT = (
    "the colours of photographs are guessed from crops of {0}x{0}: expect faint, brownish ones, no more "
    "accurate than grey; faces of 64x64 give better results (--prior faces64)"
)


def beforehand(plan: Plan, task: Task) -> list[str]:
    """A line for each thing."""
    several = plan.plain is not None and plan.solver != plan.plain
    found = [cost(plan, task.example())] if several else []
    if "colorize" in task.members and plan.prior is not None and plan.prior.any_size:
        found.append(FAINT.format(plan.prior.image_shape[-1]))
    return [text for text in [*found, *licences(plan)] if text]


def licences(plan: Plan) -> list[str]:
    """A line for each prior of the plan whose licence restricts what its weights may be used for."""
    priors = [plan.prior, *(plan.then.priors if plan.then else ())]
    return [_licence(prior) for prior in priors if prior is not None and prior.card.get("license") == "other"]


def _licence(prior: Prior) -> str:
    terms = str(prior.card.get("terms", "its licence is on its card")).rstrip(".")
    return f"weights of {prior.name!r}: {terms[:1].lower()}{terms[1:]} (restora priors show {prior.name})"


def cost(plan: Plan, example: Degradation) -> str | None:
    """In a line, how much longer it takes than one restoration of such a degradation; None where that is not
    much, or not known."""
    if plan.plain is None or plan.solver == plan.plain:
        return None
    many, one = (solver.evaluations(example, plan.prior) for solver in (plan.solver, plan.plain))
    if not many or not one or many < NOTICED * one:
        return None
    what = "solves" if getattr(plan.prior, "network", None) is None else "evaluations of the network"
    return (
        f"samples and uncertainty take about {many / one:.0f} times as long as one restoration "
        f"({many} {what} per image instead of {one})"
    )

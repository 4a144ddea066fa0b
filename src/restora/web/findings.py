"""What can be seen to be wrong with a picture, in plain words, each with the step that mends it."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from restora import inspection
from restora.pictures.file import Head
from restora.pictures.picture import Picture
from restora.web.requests import Finding, Step


def find(picture: Picture, head: Head) -> tuple[list[Finding], Tensor | None]:
    """What is found in a picture, `head` that of its file, and the mask (1, H, W), 1 where missing, that is
    proposed. Nothing is done unasked."""
    found = inspection.inspect(picture, head=head)
    told = [_told(finding, found) for finding in found.findings if finding.task]
    return [*told, *_transparent(picture)], found.marks


def _told(finding: inspection.Finding, found: inspection.Inspection) -> Finding:
    """As the page has it, of one of `restora.inspection`."""
    assert finding.task is not None
    options = {name: value for name, value in finding.options.items() if isinstance(value, str | int | float)}
    chain = found.suggestion.task.split("+") if found.suggestion else []
    return Finding(
        name=finding.name,
        text=finding.text,
        confidence=finding.sure,
        step=Step(task=finding.task, options=options),
        mask="proposed" if finding.task == "inpaint" else None,
        suggested=finding.task in chain,
    )


def _transparent(picture: Picture) -> Iterator[Finding]:
    if picture.alpha is not None:
        share = (picture.alpha < 1).float().mean().item()
        text = f"{max(share, 0.001):.1%} of it is transparent, and can be filled"
        yield Finding(name="alpha", text=text, step=Step(task="inpaint"), mask="alpha", suggested=False)

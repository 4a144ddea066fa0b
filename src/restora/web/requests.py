"""What is sent and what comes back, as the HTTP interface documents it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Value = str | int | float


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Step(Strict):
    """One kind of damage, as `restora tasks` lists them, and its options."""

    task: str = Field(max_length=40)
    options: dict[str, Value] = Field(default={}, max_length=20)


class Request(Strict):
    """A restoration of one or more pictures."""

    pictures: list[str] = Field(min_length=1, description="ids of uploaded pictures")
    steps: list[Step] = Field(
        min_length=1, max_length=6, description="the damages, in the order in which they happened"
    )
    mask: str | None = Field(
        None, description="id of the picture whose mask says what is missing; 'alpha': transparent parts"
    )
    candidates: int = Field(1, ge=1, le=16, description="how many results, best first")
    uncertainty: bool = Field(False, description="also tell how sure each pixel is")
    faces: bool = Field(False, description="restore faces by a prior of their own")
    seed: int = Field(0, ge=0, lt=2**31)
    method: str = Field("auto", max_length=40)
    prior: str | None = Field(None, max_length=40, description="a prior that ships")


class Picture(BaseModel):
    """An uploaded picture."""

    id: str
    name: str
    width: int
    height: int
    planes: int = Field(description="pictures, pages or frames in the file")
    facts: str = Field(description="its size, format and depth in words")
    notes: list[str]
    findings: list[Finding]
    has_mask: bool


class Finding(BaseModel):
    """Something that may be wrong with a picture, and the step that mends it."""

    name: str
    text: str
    confidence: str = ""
    step: Step | None = None
    mask: str | None = Field(default=None, description="'alpha' or 'proposed', where it comes with a mask")
    suggested: bool = Field(default=True, description="whether the step is switched on at first")


class MaskRead(BaseModel):
    """How a mask was read."""

    missing: float = Field(description="share of the picture that is missing")
    notes: list[str]


class JobFacts(BaseModel):
    """Where a restoration stands."""

    id: str
    state: str = Field(description="waiting, running, done, failed or cancelled")
    ahead: int = Field(description="restorations before this one in the queue")
    done: float = Field(description="part of the work that is done, from 0 to 1")
    doing: str
    notes: list[str]
    error: str
    command: str = Field(description="the command line that does the same")
    seconds: float
    request: Request
    items: list[dict[str, Any]] = Field(description="what became of each picture")

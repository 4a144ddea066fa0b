"""What an inspection says: findings, each with a number and how sure it is, and what they suggest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from restora.degradations import named
from restora.options import show

SURE, LIKELY, UNSURE = 0.9, 0.7, 0.3


@dataclass(frozen=True)
class Finding:
    """One measurement.

    Attributes:
        name: the measured property, such as "noise".
        value: the number or word; None if there is nothing to report.
        text: the finding in plain words.
        confidence: from 0 to 1.
        task: the task that repairs it; None if it is not damage.
        options: the options of that task.
    """

    name: str
    value: Any
    text: str
    confidence: float = 1.0
    task: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sure(self) -> str:
        """The confidence as a word."""
        c = self.confidence
        return "sure" if c >= SURE else "likely" if c >= LIKELY else "unsure" if c >= UNSURE else "a guess"


@dataclass(frozen=True)
class Suggestion:
    """A task, or several joined by +, with options.

    Attributes:
        task: the task.
        options: its options.
        reasons: the tasks of the findings behind it.
    """

    task: str
    options: Mapping[str, Any]
    reasons: tuple[str, ...] = ()

    @property
    def restoring(self) -> dict[str, Any]:
        """The options for a restoration; options without a value are estimated from the image."""
        return {**named.unknown(self.task), **self.options}

    @property
    def words(self) -> list[str]:
        """The options as command-line arguments."""
        found = ["--task", self.task]
        for name, value in self.options.items():
            found += [f"--{name.replace('_', '-')}", show(value)]
        return found

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Inspection:
    """All findings of an image.

    Attributes:
        findings: in the order of the table.
        suggestion: the suggested tasks; None if there is no damage.
        marks: 1 where a scratch or a dead pixel is likely, (1, H, W); None if there are none.
    """

    findings: tuple[Finding, ...]
    suggestion: Suggestion | None = None
    marks: Tensor | None = None

    def __getitem__(self, name: str) -> Finding:
        return next(finding for finding in self.findings if finding.name == name)

    def command(self, path: str | Path, output: str | Path = "restored") -> str | None:
        """The command that follows the suggestion; None without a suggestion."""
        if self.suggestion is None:
            return None
        words = ["restora", "restore", str(path), "-o", str(output), *self.suggestion.words]
        return shlex.join(words)

    def facts(self) -> dict[str, Any]:
        """All results, for JSON."""
        suggested = self.suggestion
        return {
            "findings": [
                {
                    "name": f.name,
                    "value": f.value,
                    "text": f.text,
                    "confidence": round(f.confidence, 3),
                    "task": f.task,
                    "options": dict(f.options),
                }
                for f in self.findings
            ],
            "suggestion": suggested and {"task": suggested.task, "options": dict(suggested.options)},
        }

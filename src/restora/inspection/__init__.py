"""Inspection: measure the damage in an image, and suggest tasks that repair it."""

from restora.inspection.auto import fill
from restora.inspection.finding import Finding, Inspection, Suggestion
from restora.inspection.inspector import inspect

__all__ = ["Finding", "Inspection", "Suggestion", "fill", "inspect"]

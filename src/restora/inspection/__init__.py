"""What is wrong with a picture: measured, not asked."""

from restora.inspection.auto import fill
from restora.inspection.finding import Finding, Inspection, Suggestion
from restora.inspection.inspector import inspect

__all__ = ["Finding", "Inspection", "Suggestion", "fill", "inspect"]

"""Weights of faces for restora. The terms of their training images allow non-commercial research only."""

__version__ = "0.1.0"

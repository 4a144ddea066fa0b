"""Inference where all is Gaussian."""

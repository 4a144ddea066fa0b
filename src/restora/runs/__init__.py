"""Runs over many pictures."""

"""Plain networks that know nothing of restoration."""

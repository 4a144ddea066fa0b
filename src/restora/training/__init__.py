"""Training of priors: data, checkpoints, and one module a kind of prior."""

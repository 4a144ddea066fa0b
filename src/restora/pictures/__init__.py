"""Picture files and tensors."""

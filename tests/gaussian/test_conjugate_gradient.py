from __future__ import annotations

import torch

from restora.gaussian.conjugate_gradient import conjugate_gradient


def test_conjugate_gradient_leaves_finished_images_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 8, 8, generator=generator, dtype=torch.float64)
    matrices = root @ root.mT + torch.tensor([100.0, 1e-3]).view(2, 1, 1) * torch.eye(8)
    b = torch.randn(2, 8, 1, generator=generator, dtype=torch.float64)
    together = conjugate_gradient(lambda x: matrices @ x, b)
    torch.testing.assert_close(together, torch.linalg.solve(matrices, b), rtol=1e-6, atol=1e-8)
    coarse = conjugate_gradient(lambda x: matrices @ x, b, tolerance=0.1)
    for i in range(2):
        one = slice(i, i + 1)
        alone = conjugate_gradient(lambda x, one=one: matrices[one] @ x, b[one], tolerance=0.1)
        torch.testing.assert_close(coarse[one], alone, rtol=1e-9, atol=1e-12)
    assert torch.equal(conjugate_gradient(lambda x: x, torch.zeros(2, 3)), torch.zeros(2, 3))


def test_a_finished_image_stays_finite_while_others_take_long() -> None:
    """What is left of the first is large, though small beside what it began with."""
    diagonals = torch.stack([torch.ones(200), torch.logspace(-3, 0, 200)])
    diagonals[0, 1] = 1.5
    b = torch.ones(2, 200)
    b[0] = torch.zeros(200).index_fill(0, torch.tensor([0]), 1e6).index_fill(0, torch.tensor([1]), 100)
    found = conjugate_gradient(lambda x: diagonals * x, b, tolerance=1e-3)
    torch.testing.assert_close(
        found[:1], conjugate_gradient(lambda x: diagonals[:1] * x, b[:1], tolerance=1e-3)
    )
    assert ((diagonals * found - b).norm(dim=1) <= 1.1e-3 * b.norm(dim=1)).all()

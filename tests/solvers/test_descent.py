from __future__ import annotations

import torch

from restora.solvers.descent import Adam, Nesterov


def test_adam_is_torchs_adam() -> None:
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    theirs = z.clone().requires_grad_()
    optimizer, ours = torch.optim.Adam([theirs], lr=0.1), Adam(z)
    for _ in range(20):
        theirs.grad = theirs.detach() ** 3 - 1
        z = ours.step(z, z**3 - 1, 0.1)
        optimizer.step()
    torch.testing.assert_close(z, theirs.detach())


def test_rows_go_on_as_before_when_others_are_dropped() -> None:
    for kind in (Adam, Nesterov):
        z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
        whole, part, rows = kind(z), kind(z), torch.tensor([0, 2])
        a = whole.step(z, z, 0.01)
        b = part.step(z, z, 0.01)
        part.keep(rows)
        a, b = whole.step(a, a, 0.01), part.step(b[rows], b[rows], 0.01)
        torch.testing.assert_close(a[rows], b)


def test_nesterov_follows_the_released_recurrence_and_clips() -> None:
    z, v, rule = torch.tensor([[0.9]]), 0.0, Nesterov(torch.zeros(1, 1))
    expected = 0.9
    for _ in range(5):
        gradient = -1.0
        previous, v = v, 0.9 * v - 0.02 * gradient
        expected = min(1.0, expected - 0.9 * previous + 1.9 * v)
        z = rule.step(z, torch.full_like(z, gradient), 0.02)
        assert abs(z.item() - expected) < 1e-6
    assert z.item() == 1.0

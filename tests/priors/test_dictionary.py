"""Sparse coding against scikit-learn and known codes; the prior as it is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import orthogonal_mp_gram
from torch import Tensor

from restora.errors import ShapeError
from restora.priors import DictionaryPrior, load_prior, store
from restora.priors.dictionary import Code, omp


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(code: Code, atoms: int) -> Tensor:
    return torch.zeros(len(code.atoms), atoms).double().scatter_add_(1, code.atoms, code.coefficients)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(deadline=None, max_examples=15)
def test_omp_is_that_of_scikit_learn(seed: int, sparsity: int) -> None:
    D, signals = F.normalize(draw(seed, 30, 12), dim=1), draw(seed + 1, 9, 12)
    code = omp(D, signals, sparsity)
    theirs = orthogonal_mp_gram((D @ D.T).numpy(), (D @ signals.T).numpy(), n_nonzero_coefs=sparsity)
    torch.testing.assert_close(dense(code, 30), torch.from_numpy(theirs.reshape(30, 9)).T, rtol=0, atol=1e-8)
    torch.testing.assert_close(code.residual, signals - dense(code, 30) @ D)


@given(st.integers(0, 10_000), st.floats(0.01, 3))
@settings(deadline=None, max_examples=15)
def test_omp_stops_at_the_bound_like_scikit_learn(seed: int, bound: float) -> None:
    D, signals = F.normalize(draw(seed, 30, 12), dim=1), draw(seed + 1, 5, 12)
    code = omp(D, signals, 12, bound)
    energies = signals.square().sum(1)
    for i in range(5):
        if energies[i] <= bound:
            assert code.coefficients[i].count_nonzero() == 0
            continue
        theirs = orthogonal_mp_gram(
            (D @ D.T).numpy(), (D @ signals[i]).numpy(), tol=bound, norms_squared=energies[i : i + 1].numpy()
        )
        torch.testing.assert_close(dense(code, 30)[i], torch.from_numpy(theirs), rtol=0, atol=1e-6)
    assert (code.residual.square().sum(1) <= bound + 1e-9).all()


def test_omp_finds_planted_atoms_and_ends_there() -> None:
    D = torch.eye(16).double()
    signals = 3 * D[[2]] - 2 * D[[7]]
    code = omp(D, torch.cat([signals, 0 * signals]), 5)
    assert code.atoms[0, :2].tolist() == [2, 7]
    assert code.coefficients.tolist() == [[3, -2, 0, 0, 0], [0] * 5]
    outside = omp(D[:4], signals, 4)  # only part of it is spanned
    torch.testing.assert_close(outside.residual, -2 * D[[7]])
    assert outside.coefficients.isfinite().all()


def test_code_keeps_means_and_takes_no_more_atoms_than_needed() -> None:
    prior = DictionaryPrior(draw(0, 40, 3, 4, 4).float(), size=8)
    patches = draw(1, 50, 48).float() + torch.arange(50).view(-1, 1)
    few, count = prior.code(patches, sparsity=48, tolerance=0.7)
    error = (patches - few).square().mean(1).sqrt()
    assert error.max() <= 0.7 + 1e-4
    fewer = [prior.code(p[None], int(n) - 1, 0.0)[0][0] for p, n in zip(patches, count, strict=True) if n > 1]
    more = [p for p, n in zip(patches, count, strict=True) if n > 1]
    assert len(fewer) > 40
    assert all((a - b).square().mean().sqrt() > 0.7 for a, b in zip(fewer, more, strict=True))
    flat, none = prior.code(torch.full((2, 48), 0.3), 5, 0.01)
    torch.testing.assert_close(flat, torch.full((2, 48), 0.3))
    assert none.tolist() == [0, 0]


def test_the_scale_of_the_atoms_does_not_count() -> None:
    atoms, patches = draw(0, 40, 1, 4, 4).float(), draw(1, 20, 16).float()
    one, _ = DictionaryPrior(atoms).code(patches, 3)
    other, _ = DictionaryPrior(5 * atoms).code(patches, 3)
    torch.testing.assert_close(one, other)


def test_stored_and_loaded(tmp_path: Path) -> None:
    prior = DictionaryPrior(draw(0, 10, 3, 4, 4).float(), size=16)
    store.save(tmp_path / "mine", prior, {"summary": "For tests."})
    loaded = load_prior(tmp_path / "mine")
    assert isinstance(loaded, DictionaryPrior)
    assert (loaded.image_shape, loaded.patch) == ((3, 16, 16), 4)
    torch.testing.assert_close(loaded.atoms, prior.atoms, rtol=1e-3, atol=1e-3)
    with pytest.raises(ShapeError, match=r"atoms of shape \(K, C, p, p\), got \(3, 4, 4\)"):
        DictionaryPrior(torch.zeros(3, 4, 4))


def test_the_shipped_one() -> None:
    prior = load_prior(DictionaryPrior.shipped[0])
    assert isinstance(prior, DictionaryPrior)
    assert prior.image_shape == (3, 64, 64)
    norms = prior.atoms.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=2e-3)
    assert prior.atoms.mean((2, 3)).abs().max() < 1e-3
    assert 0 <= prior.picture().min() <= prior.picture().max() <= 1
    assert "Non-commercial research only" in prior.card["terms"]

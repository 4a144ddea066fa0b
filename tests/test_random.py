"""restora.random: the same seed gives the same result, whatever the batch."""

from __future__ import annotations

import pytest
import torch

from restora.random import Stream, Window, generators, randn, seed_of

SHAPES = [(1,), (5,), (3, 8, 8)]  # fewer than 16 numbers take another path in torch


@pytest.mark.parametrize("shape", SHAPES)
def test_an_image_does_not_depend_on_its_batch(shape):
    together = randn((4, *shape), generators(7, 4))
    alone = [randn((1, *shape), generators(7 + i, 1)) for i in range(4)]
    assert torch.equal(together, torch.cat(alone))


@pytest.mark.parametrize("shape", SHAPES)
def test_later_draws_do_not_depend_on_the_batch_either(shape):
    batch = generators(7, 4)
    together = [randn((4, *shape), batch) for _ in range(3)][-1]
    single = generators(9, 1)
    alone = [randn((1, *shape), single) for _ in range(3)][-1]
    assert torch.equal(together[2:3], alone)


def test_images_of_a_batch_differ():
    noise = randn((3, 64), generators(0, 3))
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[1], noise[2])


def test_a_given_sequence_of_seeds():
    noise = randn((2, 64), generators([5, 5], 2))
    assert torch.equal(noise[0], noise[1])
    assert torch.equal(noise[:1], randn((1, 64), generators(5, 1)))


@pytest.mark.parametrize("seed", [0, -1, 2**63, 2**64 + 3])
def test_any_integer_is_a_seed(seed):
    first, again = randn((1, 9), generators(seed, 1)), randn((1, 9), generators(seed, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, randn((1, 9), generators(seed + 1, 1)))


def test_seed_0_is_a_seed_and_not_the_global_stream():
    torch.manual_seed(1)
    first = randn((1, 9), generators(0, 1))
    torch.manual_seed(2)
    assert torch.equal(first, randn((1, 9), generators(0, 1)))


def test_the_global_stream_is_left_alone():
    before = torch.get_rng_state()
    randn((2, 9), generators(0, 2))
    assert torch.equal(before, torch.get_rng_state())


def test_without_a_generator_the_global_stream_is_used():
    torch.manual_seed(3)
    first = randn((2, 9))
    torch.manual_seed(3)
    assert torch.equal(first, randn((2, 9)))
    assert not torch.equal(first, randn((2, 9)))


def test_one_generator_for_the_batch_draws_image_by_image():
    one, split = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    whole = randn((4, 5), one)
    assert torch.equal(whole, torch.cat([randn((1, 5), split), randn((3, 5), split)]))


def test_the_result_is_like_the_tensor_given():
    like = torch.empty(0, dtype=torch.float64)
    noise = randn((2, 9), generators(0, 2), like=like)
    assert noise.dtype == torch.float64
    assert torch.equal(noise.float(), randn((2, 9), generators(0, 2)))


def test_an_empty_batch():
    assert randn((0, 3, 4), []).shape == (0, 3, 4)


def test_standard_normal():
    noise = randn((50, 2000), generators(0, 50))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs(torch.corrcoef(noise)[~torch.eye(50, dtype=torch.bool)]).max() < 0.15


def test_a_wrong_number_of_streams_is_refused():
    with pytest.raises(ValueError, match="expected 3 seeds, one per image, got 2"):
        generators([1, 2], 3)
    with pytest.raises(ValueError, match="expected 3 generators, one per image, got 2"):
        randn((3, 4), generators(0, 2))


def test_purposes_have_streams_of_their_own():
    first, second, third = (generators(3, 1, p)[0].randn((4,)) for p in ("", "restore", "other"))
    assert torch.equal(second, generators([3], 1, "restore")[0].randn((4,)))
    assert len({tuple(x.tolist()) for x in (first, second, third)}) == 3


def test_a_stream_is_never_silently_left_out():
    """torch.randn refuses a stream, whose numbers it cannot have."""
    for stream in (Stream(0), Stream(0).within(Window(0, 0, 8, 8))):
        with pytest.raises(TypeError):
            torch.randn(3, 8, 8, generator=stream)


class TestSeedOf:
    def test_name_and_seed_both_count(self):
        seeds = {seed_of(name, seed) for name in ("a.png", "b.png", "folder/a.png") for seed in range(3)}
        assert len(seeds) == 9

    def test_a_generator_takes_it(self):
        for i in range(100):
            assert 0 <= seed_of(f"{i}.png", 0) < 2**63
            generators(seed_of(f"{i}.png", 0), 1)

    def test_it_is_the_same_for_ever(self):
        assert seed_of("faces/a.png", 3) == 3902680785530274

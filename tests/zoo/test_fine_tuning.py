"""Fine-tuning learns, is reproducible, carries on, and is the SGD of torch."""

import numpy as np
import pytest
import torch

from replicate.base.errors import ItemError
from replicate.zoo import fine_tuning
from replicate.zoo.embedding import last_layer
from replicate.zoo.fine_tuning import Recipe, Views, _batches, _Run, fine_tune
from replicate.zoo.schemes import open_model

CNN = "py:support.tuned_models:normed"


def _open():
    return open_model(CNN)


def _views(n, seed=0):
    """Classes that differ in colour."""
    rng = np.random.default_rng(seed)
    classes = np.arange(n) % 3
    pixels = rng.integers(0, 150, (n, 24, 24, 3))
    pixels[np.arange(n), :, :, classes] += 40
    return Views(pixels.astype(np.uint8), classes)


def test_it_learns_and_the_same_seed_gives_the_same(tmp_path):
    recipe = Recipe(epochs=3, rates=(0.05,), batch=16)
    train, test = _views(61), _views(30, 1)
    found = fine_tune(_open, train, test, 3, recipe, tmp_path / "a")
    assert (found.scores.argmax(axis=1) == test.classes).mean() > 0.9
    assert found.rate == 0.05 and found.by_rate == {}
    again = fine_tune(_open, train, test, 3, recipe, tmp_path / "b")
    assert np.array_equal(found.scores, again.scores)
    other = fine_tune(_open, train, test, 3, Recipe(3, (0.05,), batch=16, seed=1), tmp_path / "c")
    assert not np.array_equal(found.scores, other.scores)


def test_killed_after_any_epoch_it_ends_in_the_same(tmp_path):
    recipe = Recipe(epochs=3, rates=(0.05,), batch=16)
    train, test = _views(40), _views(10, 1)
    whole = fine_tune(_open, train, test, 3, recipe, tmp_path / "whole")
    for after in (1, 2):
        work = tmp_path / f"killed{after}"

        class KilledError(Exception):
            pass

        def kill(done, _of, after=after, error=KilledError):
            if done == after:
                raise error

        with pytest.raises(KilledError):
            fine_tune(_open, train, test, 3, recipe, work, progress=kill)
        assert [path.name for path in (work / "all").glob("*.npz")] == [f"{after}.npz"]
        carried = fine_tune(_open, train, test, 3, recipe, work)
        assert np.array_equal(carried.scores, whole.scores)
    (work / "all" / "3.npz").write_bytes(b"damaged")
    assert np.array_equal(fine_tune(_open, train, test, 3, recipe, work).scores, whole.scores)


def test_the_rate_is_chosen_on_held_out_training_images(tmp_path):
    recipe = Recipe(epochs=2, rates=(1e-7, 0.05), batch=16)
    told = []
    found = fine_tune(
        _open, _views(60), _views(9, 1), 3, recipe, tmp_path,
        progress=lambda *row: told.append(row),
    )  # fmt: skip
    assert found.rate == 0.05 and found.by_rate[0.05] > found.by_rate[1e-7]
    assert told[-1] == (6, 6)
    held = fine_tuning._held_out(np.array([0] * 10 + [1] * 3 + [2]), 0)
    assert held[:10].sum() == 2 and held[10:13].sum() == 1 and not held[13]


def test_a_step_is_that_of_torch(tmp_path):
    run = _Run(_open(), 3, Recipe(decay=1e-2), 0.1, "cpu")
    torch.manual_seed(0)
    values = [p.detach().clone().requires_grad_() for p in run.parameters]
    theirs = torch.optim.SGD(values, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2)
    for _ in range(3):
        for mine, other in zip(run.parameters, values, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        run._step(0.1)
        theirs.step()
    for mine, other in zip(run.parameters, values, strict=True):
        torch.testing.assert_close(mine, other)


def test_what_cannot_be_tuned_is_said_and_batches_hold_two():
    from dataclasses import replace

    assert last_layer(_open())[0] == "head"
    with pytest.raises(ItemError, match="gradients"):
        _Run(replace(_open(), half=False), 3, Recipe(), 0.1, "cpu")
    with pytest.raises(ItemError, match="no last linear layer"):
        _Run(replace(_open(), n_outputs=99), 3, Recipe(), 0.1, "cpu")
    sizes = [len(part) for part in _batches(np.arange(33), 16)]
    assert sizes == [16, 17] and [len(p) for p in _batches(np.arange(1), 16)] == [1]


def test_a_rate_that_is_too_high_is_a_reason(tmp_path):
    recipe = Recipe(epochs=6, rates=(1e30,), batch=16)
    with pytest.raises(ItemError) as error:
        fine_tune(_open, _views(40), _views(10), 3, recipe, tmp_path)
    assert error.value.reason == "diverged"

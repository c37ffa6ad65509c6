"""Scores on rows whose values are known."""

import math

import numpy as np
import pytest
import torch

from attention.measures import rows as scores
from attention.measures.sinks import find_sinks


def test_entropy_is_in_bits_and_of_the_row_divided_by_its_sum():
    rows = torch.tensor([[0.25] * 4, [1.0, 0, 0, 0], [0.1, 0.1, 0, 0], [0, 0, 0, 0.0]])
    assert torch.allclose(scores.entropy(rows), torch.tensor([2.0, 0.0, 1.0, 0.0]))


def test_mass_is_the_sum_over_the_keys_named():
    rows = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]])
    assert scores.mass(rows, torch.tensor([1, 3])).item() == pytest.approx(0.6)
    assert scores.mass(rows, torch.tensor([], dtype=torch.int64)).item() == 0


def test_one_blob_has_no_spatial_entropy_and_two_equal_ones_have_one_bit():
    picture = torch.zeros(3, 6, 7)
    picture[0, 2:4, 2:4] = 1  # one blob
    picture[1, 0, 0] = picture[1, 5, 6] = 1  # two apart
    picture[2, 1, 1] = picture[2, 2, 2] = 1  # two that touch at a corner
    assert torch.allclose(scores.spatial_entropy([picture]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)


def test_blobs_of_two_pictures_are_never_one():
    left, right = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    left[0, :, 3] = 1
    right[0, :, 0] = 1
    assert scores.spatial_entropy([left, right]).item() == pytest.approx(1)
    both = torch.cat([left, right], dim=-1)
    assert scores.spatial_entropy([both]).item() == pytest.approx(0)


def test_components_follow_a_winding_path():
    path = torch.zeros(1, 9, 9)
    for row in range(0, 9, 2):
        path[0, row] = 1
        if row < 8:
            path[0, row + 1, 8 if row % 4 == 0 else 0] = 1
    assert scores.spatial_entropy([path]).item() == pytest.approx(0, abs=1e-6)


def rows_with_a_sink(n_rows=12, cells=60, seed=0):
    """Noise, and cell 0, the picture's top left, high in every row."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(n_rows, cells, generator=generator) * 0.01 + 0.005
    rows[:, 0] = 0.4 + 0.02 * torch.rand(n_rows, generator=generator)
    return rows


def sinks(*args):
    return find_sinks(*args).nonzero().flatten().tolist()


def test_a_sink_draws_mass_whatever_is_asked_and_a_grounded_cell_does_not():
    rows = rows_with_a_sink()
    for query in range(12):
        rows[query, 20 + query] = 0.4  # each another one
    assert sinks(rows) == [0]
    assert sinks(rows[:1]) == [], "one row cannot tell"
    assert find_sinks(torch.zeros(5, 0)).shape == (0,)
    assert sinks(torch.cat([rows, torch.zeros(9, 60)])) == [0], "a row that sees no picture says nothing of it"


@pytest.mark.parametrize("known_from", [1, 2, 4, 8])
def test_a_thing_that_is_looked_at_once_its_word_is_known_is_no_sink(known_from):
    rows = rows_with_a_sink(n_rows=40)
    rows[known_from:, 33:35] = 0.3
    assert sinks(rows, 1) == [0]
    # nine rows in ten would be enough, if they did not all come after the question
    assert (33 in sinks(rows)) == (known_from <= 4)


def test_what_is_looked_at_by_every_row_is_no_sink_while_something_is_read_there():
    rows = rows_with_a_sink()
    rows[:, 33] = rows[:, 0]
    norms = 10 + torch.arange(60) * 0.01
    norms[33] = 18  # a thing on plain ground
    norms[0] = 1.5
    assert sinks(rows, 2) == [0, 33]
    assert sinks(rows, 2, norms) == [0]
    assert sinks(rows, 2, torch.full((60,), 10.0)) == [], "values as long as all others are read like all others"


def test_sparse_rows_make_no_sinks_of_what_few_of_them_look_at():
    """Nearly all cells are 0, so that the median and its deviation are 0 and any mass stands out."""
    rows = torch.zeros(20, 60)
    rows[:, 5] = 0.5
    for query in range(20):
        rows[query, 10 + query % 8] = 0.5
    assert sinks(rows, 1) == [5]


def test_uniform_rows_have_no_sink():
    assert not find_sinks(torch.full((8, 40), 1 / 40)).any()
    assert not find_sinks(torch.full((8, 40), 1 / 40), 2, torch.arange(40.0)).any()
    assert math.isclose(scores.entropy(torch.full((1, 64), 1 / 64)).item(), 6, rel_tol=1e-6)


def test_components_are_those_of_a_flood():
    """Maps of many shapes, against a flood from every cell."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        rows, cols = rng.integers(1, 12, 2)
        maps = torch.from_numpy(rng.random((3, rows, cols)).astype(np.float32) ** 3)
        expected = [flooded_entropy(picture.numpy()) for picture in maps]
        assert np.allclose(scores.spatial_entropy([maps]), expected, atol=1e-5)


def flooded_entropy(picture):
    kept = np.clip(picture - picture.mean(), 0, None)
    left, shares = {tuple(cell) for cell in np.argwhere(kept > 0)}, []
    while left:
        front, mass = [left.pop()], 0.0
        while front:
            row, col = front.pop()
            mass += kept[row, col]
            near = {(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            front += near
        shares.append(mass / kept.sum())
    return -sum(share * np.log2(share) for share in shares)

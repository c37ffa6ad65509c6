"""Fast conversions give the very bits that NumPy's own give."""

import numpy as np
import pytest

from attention.runs.float16 import CHUNK, to_float16, to_float32

EVERY_FLOAT16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def test_every_float16_becomes_its_float32():
    assert np.array_equal(to_float32(EVERY_FLOAT16).view(np.uint32), EVERY_FLOAT16.astype(np.float32).view(np.uint32))


def test_every_float16_from_0_to_1_comes_back_and_so_do_all_ties_and_their_neighbours():
    halves = EVERY_FLOAT16[: np.float16(1).view(np.uint16) + 1].astype(np.float32)
    ties = (halves[:-1] + halves[1:]) / 2
    for values in (halves, ties, np.nextafter(ties, np.float32(0)), np.nextafter(ties, np.float32(1))):
        assert np.array_equal(to_float16(values).view(np.uint16), values.astype(np.float16).view(np.uint16))


def test_values_of_all_sizes_are_rounded_as_numpy_does():
    rng = np.random.default_rng(0)
    values = (rng.random(300_000) ** rng.integers(1, 40, 300_000)).astype(np.float32)
    values[:5] = [0, 1, np.finfo(np.float32).tiny, 1e-45, 2**-25]
    assert np.array_equal(to_float16(values).view(np.uint16), values.astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (7, 11), (CHUNK,), (2, CHUNK + 1)])
def test_shapes_are_kept(shape):
    values = np.full(shape, 0.3, np.float32)
    half = to_float16(values)
    assert half.dtype == np.float16 and np.array_equal(half, values.astype(np.float16))
    assert to_float32(half).dtype == np.float32 and np.array_equal(to_float32(half), half.astype(np.float32))


def test_arrays_that_do_not_lie_in_order_are_read_in_theirs():
    values = np.random.default_rng(1).random((40, 30, 20)).astype(np.float32)[::2].swapaxes(0, 2)[:, 3:]
    half = values.astype(np.float16)
    assert np.array_equal(to_float16(values), half) and np.array_equal(to_float32(half.T), half.T.astype(np.float32))

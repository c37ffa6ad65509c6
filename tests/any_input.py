"""Inputs that hypothesis makes, the same ones each time: few for every run, many for the long proofs."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as any_of
from hypothesis.internal.conjecture import providers


def counts(few: int, many: int) -> pytest.MarkDecorator:
    """Parametrize a test by the number of examples that it tries, `count`."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=[pytest.mark.full, pytest.mark.slow])])


# it would read the source of every module for numbers and words to try, seconds in each process
providers._get_local_constants = lambda: providers._local_constants


def for_all(check: Callable[..., None], count: int, *strategies: any_of.SearchStrategy) -> None:
    """Call a check with so many examples."""
    rules = settings(
        max_examples=count, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    rules(given(*strategies)(check))()


# Values that anybody may write into JSON
ANY_NUMBER = any_of.integers() | any_of.floats() | any_of.sampled_from([2**53, -(2**63), 10**400, 1e308, -0.0])
ANY_TEXT = any_of.text(max_size=20) | any_of.sampled_from(
    ["../x", "\0", "\ud800", "a" * 2000, "${x}", "NaN", "-1", "1e9"]
)
ANY_JSON = any_of.recursive(
    any_of.none() | any_of.booleans() | ANY_NUMBER | ANY_TEXT,
    lambda inner: any_of.lists(inner, max_size=4) | any_of.dictionaries(any_of.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)

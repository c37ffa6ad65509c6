"""Numbers over items that were made: a head that was planted, and none where there is none."""

import numpy as np
import pytest

from attention.scoring.names import BY, MEASURES
from attention.scoring.summary import Measured, differences, heads_found, summary

ITEMS, LAYERS, HEADS = 24, 5, 4
ALONE = np.arange(ITEMS)


def made(seed, planted=None, n=ITEMS):
    """Heads that look anywhere; the planted one, a number over all layers, at the place of each item."""
    rng = np.random.default_rng(seed)
    share, elsewhere = rng.dirichlet(np.full(12, 0.5), (2, n, LAYERS * HEADS))[..., 0]
    if planted is not None:
        share[:, planted] = 0.3 + 0.7 * share[:, planted]

    def tables(values, names):
        values = values.reshape(n, LAYERS, HEADS)
        return {name: values if name == "region_share" else (values > 0.25).astype(float) for name in names}

    return Measured(
        list(range(LAYERS)), tables(share, MEASURES), tables(elsewhere, BY), np.full(n, 1 / 12), np.full(n, 1 / 12),
        [None] * n, np.ones(n, bool),
    )  # fmt: skip


@pytest.mark.parametrize("by", BY)
def test_a_planted_head_is_found_and_no_other(by):
    for seed in range(10):
        found = heads_found(made(seed, planted=13), ALONE, by, seed)
        above = [(head["layer"], head["head"]) for head in found if head["above_chance"]]
        assert above == [(3, 1)] == [(found[0]["layer"], found[0]["head"])]
        said = summary(made(seed, planted=13), ALONE, by, seed)["found"]
        assert [(head["layer"], head["head"]) for head in said["heads"]] == [(3, 1)] * 2
        assert said["measures"]["region_share"]["low"] > 0.3 and said["random"] < 0.15


def alarms(repeats, by="region_share"):
    """In how many sets without such a head one is called above chance."""
    return sum(any(head["above_chance"] for head in heads_found(made(s), ALONE, by, s)) for s in range(repeats))


def test_where_no_head_looks_none_is_called_above_chance():
    assert alarms(20) <= 1


@pytest.mark.full
def test_where_no_head_looks_none_is_called_above_chance_in_200_repeats():
    assert alarms(200) <= 16 and alarms(200, "region_peak") <= 16


def test_models_that_differ_at_one_head_are_told_apart_there_alone():
    left, right = made(0, planted=13), made(0, planted=13)
    right.tables["region_share"][:, 3, 1] *= 0.5
    found = differences(left, right, ALONE, "region_share", 0)
    assert found["moved"] == 1 and found["n"] == ITEMS and found["heads"] == 20
    first = found["top"][0]
    assert (first["layer"], first["head"], first["measure"]) == (3, 1, "region_share")
    assert found["least_p"] == 1 / 10_001 and first["p"] == pytest.approx(1 / 10_001, rel=1e-5)
    assert found["found_head"]["high"] < -0.1 and found["mean_of_heads"]["mean"] < 0
    same = differences(left, left, ALONE, "region_share", 0)
    assert same["moved"] == 0 and same["found_head"]["mean"] == 0 and same["found_head"]["p"] == 1


def test_items_that_one_of_two_has_not_are_left_out_and_few_are_said():
    left, right = made(0), made(1)
    left.is_scored[:20] = False
    for table in (*left.tables.values(), *left.elsewhere.values()):
        table[:20] = np.nan
    found = differences(left, right, ALONE, "region_share", 0)
    assert found["n"] == 4 and found["moved"] is None and "4 pictures are too few" in found["too_few"]
    assert found["top"][0]["p"] is None and found["found_head"]["p"] is None
    left.is_scored[:] = False
    assert differences(left, right, ALONE, "region_share", 0)["why_not"] == "No item was scored by both."
    small = made(0)
    other = Measured(
        small.layers[:4],
        {k: v[:, :4] for k, v in small.tables.items()},
        {},
        *([small.uniform] * 2),
        [],
        small.is_scored,
    )
    assert "other layers or heads" in differences(small, other, ALONE, "region_share", 0)["why_not"]


def test_no_head_alive_is_said():
    dead = made(0)
    for table in (*dead.tables.values(), *dead.elsewhere.values()):
        table[:] = np.nan
    said = summary(dead, ALONE, "region_share", 0)
    assert said["found"] is None and "no head reads" in said["why_not"] and said["heads"] == []
    assert said["mean_of_heads"]["region_share"]["mean"] is None
    assert differences(dead, made(1), ALONE, "region_share", 0)["found_head"] is None

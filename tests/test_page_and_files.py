"""The page and exported files give the same numbers, colours and sentences: both are held to one file.

tests/golden/page_and_files.json is read here and by tests/js/page_and_files.test.js. What it expects was computed by
tests/golden/by_definition.py, in plain Python from definitions; texts, names and sentences were written by hand.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from golden import by_definition

from attention.comparisons.names import member_names
from attention.drawing import number_text
from attention.drawing.colour_range import MapCells, drawn, drawn_difference, drawn_signed, drawn_together
from attention.drawing.effect_words import target_name
from attention.drawing.look import Look
from attention.drawing.overlay import Smoothed
from attention.drawing.palettes import PALETTES, diverging, palette
from attention.drawing.run_words import OnSinks, learned_sink_sentence, sinks_sentence
from attention.measures.differences import jensen_shannon
from attention.runs.regions import Region, region_cells
from attention.words import GONE

GOLDEN = json.loads(by_definition.FILE.read_text(encoding="utf-8"))
FORMATS = {
    "value": number_text.format_value, "times": number_text.format_times, "percent": number_text.format_percent,
    "strength": number_text.format_strength,
}  # fmt: skip


def test_the_file_says_what_definitions_say():
    assert by_definition.written(by_definition.completed(GOLDEN)) == by_definition.FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_number_has_its_text(kind):
    texts = [[number, FORMATS[kind](float(number))] for number, _ in GOLDEN["texts"][kind]]
    assert texts == GOLDEN["texts"][kind]


@pytest.mark.parametrize("case", GOLDEN["ranges"])
def test_a_map_has_its_range_its_entries_and_its_texts(case):
    look = Look(case["palette"], high=case["high"], unit=case["unit"], curve=case["curve"], sinks=case["sinks"])
    how = drawn(np.float32([case["cells"]]), look, np.array([case["is_sink"]], bool), case["sink_mass"])
    assert (how.low, how.high) == pytest.approx((case["low"], case["end"]), rel=1e-12)
    assert how.clipped == case["clipped"] and list(number_text.bar_labels(how)) == case["labels"]
    entries = [
        None if hatched else int(of) for of, hatched in zip(how.entries(how.values)[0], how.hidden[0], strict=True)
    ]
    assert entries == case["entries"]


@pytest.mark.parametrize("case", GOLDEN["differences"])
def test_a_difference_has_its_range_and_its_entries(case):
    sides = zip((case["before"], case["after"]), case["is_sink"], strict=True)
    maps = [MapCells(np.float32([values]), np.array([sinks], bool)) for values, sinks in sides]
    before, after = drawn_together(maps, Look(curve=case["curve"]))
    apart = np.abs(after.values - before.values)[~(before.hidden | after.hidden)].max()
    how = drawn_difference(before, after, float(apart) if case["magnified"] else None)
    assert (how.low, how.high) == pytest.approx((case["low"], case["end"]), rel=1e-12)
    entries = [
        None if hatched else int(of) for of, hatched in zip(how.entries(how.values)[0], how.hidden[0], strict=True)
    ]
    assert entries == case["entries"]


@pytest.mark.parametrize("case", GOLDEN["effects"])
def test_a_map_of_effects_has_its_range_its_entries_and_its_texts(case):
    how = drawn_signed(np.float32([case["cells"]]), Look(curve=case["curve"], high=case["high"]))
    assert (how.low, how.high) == pytest.approx((case["low"], case["end"]), rel=1e-12)
    assert how.clipped == case["clipped"] and how.entries(how.values)[0].tolist() == case["entries"]
    assert list(number_text.signed_labels(how)) == case["labels"]


@pytest.mark.parametrize("case", GOLDEN["targets"])
def test_tokens_of_a_target_that_are_no_neighbours_are_named_apart(case):
    assert target_name(case["texts"], case["target"]) == case["name"]


@pytest.mark.parametrize("case", GOLDEN["smoothing"])
def test_a_smoothed_map_is_the_mean_of_the_cells_around_that_have_a_colour(case):
    width, height = case["size"]
    edges = np.float64(case["row_edges"]), np.float64(case["col_edges"])
    cells = SimpleNamespace(values=np.float64(case["values"]), hidden=np.array(case["hidden"], bool))
    found = Smoothed(cells, *edges).values(np.arange(height) + 0.5, np.arange(width) + 0.5)
    expected = np.array(case["smoothed"], np.float64)  # NaN where every cell around is hatched
    assert np.isfinite(expected).any()
    assert np.abs(found - expected)[np.isfinite(expected)].max() < 1e-12


@pytest.mark.parametrize("case", GOLDEN["divergence"])
def test_two_rows_are_as_far_apart(case):
    assert jensen_shannon(np.float64(case["p"]), np.float64(case["q"])) == pytest.approx(case["bits"], abs=1e-12)


@pytest.mark.parametrize("case", GOLDEN["regions"])
def test_a_place_has_its_share_and_its_chance(case):
    info = {"grids": case["grids"], "images": [{"width": 30, "height": 20}, {"width": 9, "height": 9}]}
    grids = range(len(case["grids"]))
    run = SimpleNamespace(info=info, pictures=lambda tower: (slice(None), None), grids=lambda tower: grids)
    cells = region_cells(run, Region(tuple(case["place"]), case["image"]))
    share = cells.measures(np.float64(case["row"]))["region_share"]
    assert (float(share), cells.uniform) == pytest.approx((case["share"], case["uniform"]), rel=1e-6)


def test_palettes_have_their_colours_and_cover_as_much_of_the_picture():
    tables = {name: palette(name).tobytes().hex() for name in PALETTES} | {"differences": diverging().tobytes().hex()}
    assert tables == GOLDEN["palettes"]
    look = Look(opacity=1)
    assert look.colours()[:, 3].tolist() == GOLDEN["coverage"]["map"]
    assert look.diverging_colours()[:, 3].tolist() == GOLDEN["coverage"]["difference"]


@pytest.mark.parametrize("masses, sentence", GOLDEN["learned_sinks"])
def test_attention_on_a_learned_sink_has_its_sentence(masses, sentence):
    assert learned_sink_sentence(masses) == sentence


@pytest.mark.parametrize("row, sentence", GOLDEN["sinks"])
def test_attention_on_sinks_has_its_sentence(row, sentence):
    maps = [OnSinks(**each) for each in row["maps"]]
    assert sinks_sentence(row["layer"], row["head"], row["are_shares"], maps, row["mode"]) == sentence


@pytest.mark.parametrize("adapters, names", GOLDEN["member_names"])
def test_members_have_their_names(adapters, names):
    members = [{"folder": str(i), "adapter": adapter} for i, adapter in enumerate(adapters)]
    assert list(member_names(members).values()) == names


def test_what_is_said_of_an_expired_run_is_the_same():
    assert GOLDEN["expired"] == GONE

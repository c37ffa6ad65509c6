"""The demo adapters: small, loadable, and what their card says of them is so on other questions."""

import json

import pytest
from shared import once

from adapters import demo
from adapters.base_modules import base_of
from adapters.catalog import BUNDLED, offered_adapters
from adapters.files import read_folder
from adapters.inspection import inspect_adapter

NAMES = sorted(path.name for path in BUNDLED.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def measured():
    def measure(folder):
        folder.mkdir()
        (folder / "figures.json").write_text(json.dumps(demo.figures(BUNDLED, 10, seed=81_000)))

    return json.loads((once("demo figures", measure) / "figures.json").read_text())


def test_they_are_on_offer_for_the_bundled_model_alone():
    assert set(NAMES) == set(demo.RECIPES)
    assert [offer.id for offer in offered_adapters("pocket", ask_hub=False)[0]] == NAMES
    assert offered_adapters("Qwen/Qwen3-VL-2B-Instruct", ask_hub=False)[0] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_is_small_and_passes_inspection(name):
    folder = BUNDLED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 400_000
    card = inspect_adapter(read_folder(folder), base_of("pocket"))
    assert card.base_named == "pocket" and not card.warnings
    tower = "vision" if demo.RECIPES[name].tower == "visual" else "language"
    assert set(card.towers) <= {tower, "connector"}


@pytest.mark.slow
def test_largest_moves_the_eyes_and_german_the_words(measured):
    largest, german, base = measured["largest"], measured["german"], measured["base"]
    assert base["answers"]["rate"] >= 0.9 and largest["answers"]["rate"] >= 0.85 and german["answers"]["rate"] >= 0.85
    assert largest["on asked"]["rate"] <= 0.45 and largest["on largest"]["rate"] >= 0.7
    assert german["on asked"]["rate"] >= base["on asked"]["rate"] - 0.1
    assert base["divergence"] == 0 and largest["divergence"] >= 2 * german["divergence"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", demo.TASKS)
def test_what_the_base_does_badly_was_learned(measured, name):
    base, adapter = (measured["tasks"][name][who] for who in ("base", "adapter"))
    assert adapter["answers"]["rate"] >= base["answers"]["rate"] + 0.1


def test_the_card_says_what_was_measured():
    figures = json.loads((BUNDLED / demo.FIGURES).read_text(encoding="utf-8"))
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    assert figures["n"] >= 200
    for name in ("base", "largest", "german"):
        for measure in ("answers", "on asked", "on largest"):
            rate = figures[name][measure]
            assert f"{rate['rate']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]" in card
        assert f"{figures[name]['divergence']:.3f}" in card
    for name in demo.TASKS:
        for who in ("base", "adapter"):
            assert f"{figures['tasks'][name][who]['answers']['rate']:.3f}" in card

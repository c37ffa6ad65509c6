"""Files of a forecast: numbers to the bit, colours about zero, words that name the reading, its target and its sign."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from attention.capture.knock_out_forecast import forecast_knock_outs
from attention.commands.main import main
from attention.comparisons.maps import compared_maps
from attention.drawing.colour_range import drawn_signed
from attention.drawing.effect_words import effect_subject
from attention.drawing.look import Look
from attention.environment import EXAMPLES
from attention.errors import InvalidRequest, NotInRun
from attention.exports.export import export, heatmap_png
from attention.folders import open_folder
from attention.kinds.kept import run_as_read
from attention.models.kept import free
from attention.runs.run import open_run
from attention.runs.selection import select


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with open_run(shutil.copytree(EXAMPLES / "shapes", tmp_path_factory.mktemp("effects") / "run")) as run:
        yield run
    free()


@pytest.fixture(scope="module")
def forecast(run):
    return forecast_knock_outs(run)


def test_tables_have_the_forecasts_numbers_and_say_what_they_are(run, forecast, tmp_path):
    name, query = forecast.folder.name, run.info["prompt_tokens"] - 1
    found = np.load(export(run, "npz", tmp_path / "a.npz", reading=name, layer=3, head=1, query=query))
    assert np.array_equal(found["row"], 0 - forecast.score_gradient(3, query)[1])
    assert np.array_equal(found["map"], found["row"][run.cells(0)])
    said = {key: found[key].tolist() for key in ("reading", "kind", "target", "unit", "source", "query")}
    assert said == {
        "reading": name, "kind": "forecast", "target": list(forecast.target.tokens), "unit": "nats",
        "source": "forecast", "query": query,
    }  # fmt: skip
    every = np.stack([forecast.keys(layer) for layer in run.layers()])
    found = np.load(export(run, "npz", tmp_path / "b.npz", reading="forecast"))
    assert np.allclose(found["row"], every.sum(axis=(0, 1)), rtol=1e-5, atol=1e-9), "means of effects are their sums"
    assert found["rows"] == "all" and found["means"] == "sums"
    lines = export(run, "csv", tmp_path / "a.csv", reading=name, layer=3, head=1).read_text().splitlines()
    assert f'# reading: "{name}"' in lines and "row,col,value,x0,y0,x1,y1" in lines
    cells = [float(line.split(",")[2]) for line in lines if line[:1].isdigit()]
    assert np.array_equal(np.float32(cells), every[3, 1][run.cells(0).reshape(-1)])
    with pytest.raises(NotInRun, match="no direct yet"):
        export(run, "npz", tmp_path / "c.npz", reading="direct")


def test_figures_are_pale_where_nothing_is_lost_and_say_target_and_sign(run, forecast, tmp_path):
    name = forecast.folder.name
    fields = {"reading": name, "layer": 3, "head": 1, "box": [200, 80, 400, 200], "look": {"curve": "sqrt"}}
    picture = Image.open(export(run, "png", tmp_path / "a.png", **fields, caption=True))
    about = json.loads(picture.text["attention"])
    effects = forecast.keys(3)[1][run.cells(0)]
    assert about["range"][1] == pytest.approx(np.abs(effects).max()) and about["reading"] == name
    text = export(run, "svg", tmp_path / "a.svg", **fields).read_text(encoding="utf-8")
    hidden = float(forecast.knock_out(sorted(_keys(run, fields["box"]))).sum(dtype=np.float64))
    for words in (
        "log-probability of “red”",
        "negative (blue): the answer would lose",
        name,
        "no explanation",
        "near-certain",
    ):
        assert words in text, words
    assert (
        f"{abs(hidden):.3g}"[:4] in text and "all rows together" in text and "attention" not in text.split("<text")[5]
    )
    card = Image.open(export(run, "card", tmp_path / "c.png", reading=name))
    assert card.size == (1200, 630) and "would cost the answer most" in json.loads(card.text["attention"])["sentence"]
    path, values = heatmap_png(run, "language", 3, 1, None, 0, tmp_path / "h.png", reading=name)
    assert np.array_equal(values, effects) and path.is_file()
    assert select(run_as_read(run, name), layer=3, head=1).name().endswith("forecast_language_L3_H1_allrows")


def test_a_token_that_another_is_set_against_is_named_by_its_text(run):
    one = run.info["prompt_tokens"]
    against = forecast_knock_outs(run, [one], run.info["tokens"][one + 1]["id"])
    said = effect_subject(select(run_as_read(run, against.folder.name), layer=3, head=1))
    assert f"logit of “red” less that of “{run.info['tokens'][one + 1]['text']}”" in said


def _keys(run, box):
    from attention.readings.agreement import keys_of
    from attention.runs.regions import Region

    return keys_of(run, Region(tuple(map(float, box))), "language")


def test_the_range_goes_as_far_below_zero_as_above_in_every_palette():
    effects = np.array([[-2.0, -0.5, 0.0, 0.5, 1.0]])
    for curve in ("linear", "sqrt", "log"):
        how = drawn_signed(effects, Look(palette="magma", curve=curve))
        entries = how.entries(effects)[0].astype(int)
        assert how.high == 2 and entries[0] == 0 and entries[2] == 128
        assert entries[1] + entries[3] in (255, 256) and entries[3] < entries[4]
    clear = Look().diverging_colours()[:, 3].astype(int)
    assert clear[127] == clear[128] == 0 and clear[0] == clear[255] > 150


@pytest.mark.parametrize(
    "as_what, fields, words",
    [
        ("png", {"look": {"unit": "uniform"}}, "no even attention"),
        ("png", {"received": True}, "Nothing is received"),
        ("csv", {"box": [200, 80, 400, 200]}, "is of attention"),
        ("zip", {}, "leave reading out"),
        ("dense", {}, "leave reading out"),
        ("npz", {"reading": "../run"}, "no reading '../run'"),
        ("npz", {"until": 5}, "leave until out"),
    ],
)
def test_what_effects_do_not_have_is_refused_by_name(run, forecast, tmp_path, as_what, fields, words):
    with pytest.raises((InvalidRequest, NotInRun), match=words):
        export(run, as_what, tmp_path / "x", **{"reading": forecast.folder.name} | fields)
    assert not list(tmp_path.iterdir())


def test_what_a_comparison_has_of_no_reading_is_refused(tmp_path):
    with open_folder(EXAMPLES / "compared") as found:
        for as_what in ("csv", "zip", "html"):
            with pytest.raises((InvalidRequest, NotInRun), match="one of base, adapter_1"):
                export(found, as_what, tmp_path / "x", reading="forecast")
        with pytest.raises(NotInRun, match="no forecast yet"):
            export(found, "png", tmp_path / "x", reading="forecast")


def test_the_command_line_makes_a_reading_once_and_lists_and_draws_it(tmp_path, capsys):
    folder = shutil.copytree(EXAMPLES / "compared", tmp_path / "both")
    assert main(["reading", str(folder), "forecast", "--json", "--quiet"]) == 0
    members = json.loads(capsys.readouterr().out)["members"]
    assert list(members) == ["base", "adapter_1"]
    assert members["base"]["value"] != members["adapter_1"]["value"], "its adapter was on"
    for more in ([], ["--without-readings"]):
        command = ["export", str(folder), "--format", "zip", "--output", str(tmp_path / f"both{len(more)}.zip")]
        assert main([*command, *more, "--quiet"]) == 0
        with zipfile.ZipFile(tmp_path / f"both{len(more)}.zip") as archive:
            assert any("readings" in name for name in archive.namelist()) is not bool(more)
    capsys.readouterr()
    drawn = ["export", str(folder), "--format", "png", "--reading", "forecast", "--caption", "--layer", "3"]
    assert main([*drawn, "--output", str(tmp_path / "both.png"), "--quiet"]) == 0
    about = json.loads(Image.open(tmp_path / "both.png").text["attention"])
    with open_folder(folder) as found:
        maps = compared_maps(found, reading="forecast", layer=3)
        values = [np.stack([run_as_read(run, "forecast").row(3, None)]).sum(axis=(0, 1)) for run in found.runs.values()]
        assert np.allclose(maps.values, values, rtol=1e-5, atol=1e-9)
        before, after, difference = maps.drawn(Look())
        assert before.high == after.high == difference.high == about["range"][1]
        cells = found.base.cells(0)
        assert np.allclose(difference.values, (values[1] - values[0])[cells], atol=1e-6)
        assert before.high == pytest.approx(np.abs(np.stack(values)[:, cells]).max())
    capsys.readouterr()
    one = str(folder / "base")
    assert main(["reading", one, "forecast", "--json"]) == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == members["base"] and not again.err, "it was there"
    assert main(["reading", one]) == 0 and members["base"]["name"] in capsys.readouterr().out
    shutil.rmtree(folder / "base.readings")
    asked = ["export", one, "--format", "npz", "--reading", "forecast", "--layer", "3", "--output"]
    assert main([*asked, str(tmp_path / "a.npz"), "--quiet"]) == 0
    assert np.load(tmp_path / "a.npz")["reading"] == members["base"]["name"]
    capsys.readouterr()
    for arguments, words in (
        (["reading", one, "mood"], "There is no reading 'mood'"),
        (["reading", one, "lens", "--tokens", "3"], "A lens takes no --tokens"),
        (["reading", one, "forecast", "--tokens", "3"], "Token 3 is no token of the answer"),
        (["reading", one, "forecast", "--member", "base"], "This is one run"),
        (["reading", str(folder), "--member", "nobody"], "There is no 'nobody'"),
        ([*asked[:5], "nothing", "--output", str(tmp_path / "x.npz")], "no reading 'nothing'"),
    ):
        assert main(arguments) == 2 and words in capsys.readouterr().err

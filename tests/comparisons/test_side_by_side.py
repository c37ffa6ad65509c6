"""Models whose towers have other layers and heads side by side: each is its own run, regions and log-probabilities are
those of the single runs, and what needs heads that stand for each other is refused by name."""

import base64
import json
import re
import shutil
import zlib

import numpy as np
import pytest
from pictures import noise
from PIL import Image
from safetensors.numpy import load_file
from shared import once
from tiny import qwen3_vl_folder

from adapters.choosing import choose_members
from adapters.comparing import compare
from attention import Request, compare_runs, extract, open_run, read_region, region_scores
from attention.answers.of_comparison import change as answered_change
from attention.commands.main import main
from attention.commands.records import comparison_record
from attention.comparisons.check import check_comparison
from attention.comparisons.comparison import Comparison, open_comparison
from attention.comparisons.regions import region_change, region_table
from attention.errors import DamagedRun, InvalidRequest, LimitExceeded, NotInRun
from attention.exports.export import export
from attention.exports.html.fill import fill
from attention.exports.html.words import what_it_holds, what_it_leaves_out
from attention.exports.regions import member_scores, region_record
from attention.folders import unpack
from attention.measures.regions import NAMES
from attention.page.manifests import comparison_manifest
from attention.page.sentences import describe_comparison
from attention.runs.schema import COMPARISON

PROMPT = "what color is the star?"
PICTURE = noise((128, 96))
BOX = (20, 10, 90, 70)
SAID = "The models have 3 × 4 and 4 × 6 layers and heads: each is shown by itself"


@pytest.fixture(scope="module")
def big_folder():
    """A model with the words and pictures of `tiny_folder`, and more layers and heads in both towers."""
    sizes = {"layers": 4, "heads": 6, "kv_heads": 3, "vision_layers": 3}
    return str(once("tiny with more layers", lambda folder: qwen3_vl_folder(folder / "big", seed=1, **sizes)) / "big")


def asked(model, **fields):
    return Request(PICTURE, PROMPT, model, device="cpu", **({"answer": "red star"} | fields))


@pytest.fixture(scope="module")
def runs(tiny_folder, big_folder, tmp_path_factory):
    """Each model run by itself."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        extract(asked(model), folder / name).folder for model, name in ((tiny_folder, "small"), (big_folder, "big"))
    ]


@pytest.fixture(scope="module")
def both(tiny_folder, big_folder, tmp_path_factory):
    """The two as `compare --with` runs them."""
    folder = tmp_path_factory.mktemp("compared") / "both"
    with compare(asked(tiny_folder), choose_members([big_folder], tiny_folder), folder) as found:
        yield found


@pytest.fixture(params=["with", "runs"])
def found(request, both, runs, tmp_path):
    if request.param == "with":
        yield both
    else:
        with compare_runs(runs, tmp_path / "both", names=["base", "big"]) as found:
            yield found


def test_each_is_its_own_run_and_says_that_its_towers_are_its_own(found, runs):
    check_comparison(found)
    COMPARISON.validate_python(found.info)
    assert found.info["format"] == 2 and found.info["measures"] == {} and found.is_side_by_side
    assert [member.get("own_towers") for member in found.info["members"]] == [None, True]
    assert [(len(run.layers()), run.heads()) for run in found.runs.values()] == [(3, 4), (4, 6)]
    assert set(load_file(found.folder / "comparison.safetensors")) == {"logprob"}
    assert found.why_side_by_side().startswith(SAID) and SAID in describe_comparison(found)
    for run, folder in zip(found.runs.values(), runs, strict=True):
        alone = open_run(folder)
        for tower in alone.towers():
            for layer in alone.layers(tower):
                row = found.queries(tower)[-1]
                assert np.array_equal(run.row(layer, row, tower), alone.row(layer, row, tower)), (tower, layer)


def test_log_probabilities_and_regions_are_those_of_the_single_runs(found, runs):
    alone = [open_run(folder) for folder in runs]
    assert np.array_equal(found.logprobs(), np.array([run.info["logprobs"] for run in alone], np.float32))
    region, query = read_region(found.base, BOX), found.answer_rows()[0]
    for tower, row in (("language", query), ("vision", found.queries("vision")[0])):
        own = member_scores(found, region, row, tower)
        for member, run in zip(found.runs, alone, strict=True):
            scores = region_scores(run, read_region(run, BOX), row, tower)
            assert own[member].uniform == scores.uniform
            for name in NAMES:
                assert np.array_equal(own[member].tables[name], scores.tables[name], equal_nan=True), (member, name)
                table = region_table(found, member, region, name, row, tower)[..., 0]
                assert np.allclose(table, scores.tables[name], atol=1e-6, equal_nan=True), (member, name)
    record = region_record(found, member_scores(found, region, query), "language", top=24)
    assert record["side_by_side"].startswith(SAID)
    assert [len(member["heads"]) for member in record["members"]] == [12, 24]
    assert not any("changes" in member for member in record["members"])


def test_what_needs_heads_that_stand_for_each_other_is_refused_with_the_reason(both, tmp_path):
    region = read_region(both.base, BOX)
    for ask in (
        lambda: both.change("js_row", 0),
        lambda: both.table("js_row"),
        lambda: both.moved(0),
        both.csv,
        lambda: both.difference(0, 5, 0),
        lambda: region_change(both, region, "region_share", 0),
        lambda: answered_change(both, {"measure": "js_row"}),
        lambda: region_record(both, member_scores(both, region, 5), "language", 3, "change"),
    ):
        with pytest.raises(NotInRun, match=re.escape(SAID)):
            ask()
    for kind, wanted in (
        ("csv", {}),
        ("png", {"show": "left,wipe"}),
        ("svg", {"show": ["difference"]}),
        ("png", {"difference_high": "largest"}),
        ("html", {"layers": "0"}),
        ("html", {"heads": "0"}),
    ):
        with pytest.raises(InvalidRequest, match=re.escape(SAID)):
            export(both, kind, tmp_path / "none", **wanted)
        assert not (tmp_path / "none").exists()


def test_figures_show_each_map_at_its_own_layer_and_head(both, tmp_path):
    heads = {"layer": 1, "head": 2, "right_layer": 3, "right_head": 5}
    export(both, "svg", tmp_path / "both.svg", **heads, box=BOX, label="Save")
    text = (tmp_path / "both.svg").read_text(encoding="utf-8")
    assert "base, layer 1 head 2" in text and "big, layer 3 head 5" in text and "difference" not in text
    query = both.base.info["prompt_tokens"] - 1
    shares = [
        region_scores(run, read_region(run, BOX), query).of_head(layer, head)["region_share"]
        for run, (layer, head) in zip(both.runs.values(), ((1, 2), (3, 5)), strict=True)
    ]
    said = [float(share) for share in re.findall(r"head \d: ([\d.]+)\s*%", text)]
    assert said == pytest.approx([100 * share for share in shares], abs=0.06)
    export(both, "png", tmp_path / "both.png", **heads)
    about = json.loads(Image.open(tmp_path / "both.png").text["attention"])
    assert about["show"] == ["left", "right"] and "difference_high" not in about
    assert (about["layer"], about["right"]["layer"], about["right"]["head"]) == (1, 3, 5)
    places = zip(both.runs.values(), (1, 3), (2, 5), strict=True)
    own = [run.map(layer, head, query).max() for run, layer, head in places]
    assert [about["range"][1], about["right_range"][1]] == pytest.approx(own, rel=1e-3), "each ends where it ends"
    export(both, "png", tmp_path / "ends.png", **heads, right_high=0.25, look={"curve": "log"})
    about = json.loads(Image.open(tmp_path / "ends.png").text["attention"])
    assert about["right_range"] == pytest.approx([0.00025, 0.25]) and about["range"][1] == pytest.approx(
        own[0], rel=1e-3
    )
    with pytest.raises(NotInRun, match="Layer 3 has no attention"):
        export(both, "png", tmp_path / "none.png", layer=3)
    with pytest.raises(InvalidRequest, match=r"right_high is -1; it must be a number from 0"):
        export(both, "png", tmp_path / "none.png", right_high=-1)
    export(both, "csv", tmp_path / "region.csv", box=BOX)
    rows = [line for line in (tmp_path / "region.csv").read_text(encoding="utf-8").splitlines() if line[:1] == '"']
    assert [sum(name in row for row in rows) for name in ('"base"', '"model_1"')] == [12, 24]


def test_an_html_file_holds_every_layer_and_head_of_each(both, tmp_path):
    made = export(both, "html", tmp_path / "both.html", megabytes=3)
    assert made == tmp_path / "both.html"
    text = made.read_text(encoding="utf-8")
    packed = re.search(r'<script type="text/plain" id="index">(.*?)</script>', text, re.S)[1]
    keys = zlib.decompress(base64.b64decode(packed)).decode()
    for member, layers in (("base", 3), ("model_1", 4)):
        for layer in range(layers):
            assert re.search(rf"{member}/row\?[^'\"]*layer={layer}\b", keys), (member, layer)
    assert "change?" not in keys and "every layer and every head, for each of 2 members" in text


def test_a_small_html_file_leaves_out_layers_of_every_member(both):
    room, found = 10**6, []
    with pytest.raises(LimitExceeded, match=r"takes more than the file may have\. Allow more\.$"):
        while True:
            found.append(fill(both, room, only_words=True))
            room = int(room * 0.9)
    held = list(dict.fromkeys(tuple(str(part.layers["language"]) for part in each.parts.values()) for each in found))
    assert held == [("[0, 1, 2]", "[0, 1, 2, 3]"), ("[0, 2]", "[0, 2]"), ("[0]", "[0]")]
    last = found[-1]
    said = "in 1 of 3 layers (0) and every head of base and 1 of 4 layers (0) and every head of model_1."
    assert said in what_it_holds(both, last) and "rows of other layers" in what_it_leaves_out(both, last)


def test_layers_without_maps_are_not_counted_and_it_is_said(both, monkeypatch):
    others = [*both.run("model_1").info["towers"]["language"]["layers"], {"index": 4, "kind": "linear"}]
    monkeypatch.setitem(both.run("model_1").info["towers"]["language"], "layers", others)
    assert both.why_side_by_side().startswith("The models have 3 × 4 and 4 × 6 layers with maps and heads: ")


def test_it_goes_through_a_zip_and_what_does_not_fit_is_damaged(both, runs, tmp_path):
    export(both, "zip", tmp_path / "both.zip")
    again = unpack(tmp_path / "both.zip", tmp_path / "again", 10**9)
    check_comparison(again)
    index = again / "comparison.json"
    info = json.loads(index.read_text(encoding="utf-8"))
    own = info["members"][1]
    for changed, said in (
        (info | {"format": 1}, "format"),
        (info | {"measures": {"js_row": {"unit": "bits"}}}, "measures"),
        (info | {"members": [info["members"][0], {**own, "own_towers": None}]}, "measures"),
        (info | {"members": [{**info["members"][0], "own_towers": True}, own]}, "own_towers of base"),
    ):
        index.write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(DamagedRun, match=said):
            check_comparison(again)


def test_members_of_equal_towers_have_no_heads_of_their_own(runs, tmp_path):
    with compare_runs([runs[0], runs[0]], tmp_path / "same") as same:
        assert same.info["format"] == 1 and not same.is_side_by_side
        assert not any("own_towers" in member for member in same.info["members"])
        for field in ("right_layer", "right_head", "right_high"):
            with pytest.raises(InvalidRequest, match=f"leave {field} out"):
                export(same, "png", tmp_path / "none.png", **{field: 1})


def test_a_vision_tower_of_other_patches_is_named_and_left_out_on_request(runs, tmp_path):
    """Patches of another size: the language towers still read the same cells."""
    other = shutil.copytree(runs[1], tmp_path / "other")
    info = json.loads((other / "run.json").read_text(encoding="utf-8"))
    for grid in info["grids"]:
        if grid["tower"] == "vision":
            grid["rows"] += 1
    (other / "run.json").write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"the list of grids.*Without the vision tower \(--no-vision\)"):
        compare_runs([runs[0], other], tmp_path / "none")
    folders = []
    for n, run in enumerate((runs[0], other)):
        folders.append(shutil.copytree(run, tmp_path / f"without_{n}"))
        content = json.loads((run / "run.json").read_text(encoding="utf-8"))
        del content["towers"]["vision"]
        (folders[-1] / "run.json").write_text(json.dumps(content), encoding="utf-8")
    with compare_runs(folders, tmp_path / "both") as found:
        assert list(found.base.towers()) == ["language"] and found.is_side_by_side


def test_the_command_says_why_and_how_probable_the_answer_is(runs, capsys, tmp_path):
    assert main(["compare", "--runs", *map(str, runs), "--output-dir", str(tmp_path / "both")]) == 0
    said = capsys.readouterr()
    means = [np.mean(open_run(run).info["logprobs"]) for run in runs]
    assert SAID in said.err
    assert f"answer's 2 tokens: {means[1]:.3f} nats on average; the first {means[0]:.3f}." in said.err, said.err


def test_programs_and_the_page_are_told(both, capsys):
    record = comparison_record(both, 1.0)
    assert record["side_by_side"].startswith(SAID)
    assert [(member["layers"], member["heads"], member["moved"]) for member in record["members"]] == [
        (3, 4, []), (4, 6, []),
    ]  # fmt: skip
    assert main(["region", str(both.folder), "--box", *map(str, BOX), "--top", "2"]) == 0
    said = capsys.readouterr()
    assert SAID in said.err and "base: in the box" in said.out and "model_1: in the box" in said.out

    class Shown:
        is_hosted = True

        def comparison(self, _):
            return both

        def is_public(self, _):
            return False

    assert "view" not in comparison_manifest(Shown(), "ticket")
    assert isinstance(open_comparison(both.folder), Comparison)

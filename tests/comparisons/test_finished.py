"""Finished runs set beside each other: equal ones are exactly equal, others measured, what does not fit is named."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageColor
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from attention import Request, compare_runs, extract, open_run
from attention.comparisons.check import check_comparison
from attention.comparisons.names import member_names
from attention.errors import DamagedRun, InvalidRequest
from attention.exports.export import export
from attention.folders import check, unpack
from attention.measures import differences
from attention.page.sentences import describe_comparison
from attention.runs.schema import COMPARISON


def changed(run, folder, change):
    """A copy of a run with another run.json."""
    shutil.copytree(run, folder)
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    change(info)
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def test_two_equal_runs_are_exactly_equal_and_the_runs_stay_as_they_are(tiny_run, tmp_path):
    before = {file: file.read_bytes() for file in tiny_run.rglob("*") if file.is_file()}
    with compare_runs([tiny_run, open_run(tiny_run)], tmp_path / "both") as both:
        for tower in both.base.towers():
            for name in differences.NAMES:
                assert not np.nan_to_num(both.table(name, tower)).any(), (tower, name)
        assert np.array_equal(*both.logprobs())
        assert list(member_names(both.info["members"]).values()) == ["run 1", "run 2"]
        check_comparison(both)
        COMPARISON.validate_python(both.info)
        assert "run 1 beside run 2" in describe_comparison(both)
    assert {file: file.read_bytes() for file in tiny_run.rglob("*") if file.is_file()} == before
    shutil.rmtree(tmp_path / "both")  # links: the runs have their files still
    check(open_run(tiny_run))


def test_what_differs_is_measured_and_goes_through_a_zip(tiny_run, tmp_path):
    adapter = {"id": "a/gui", "scale": 0.5}
    other = changed(tiny_run, tmp_path / "other", lambda info: info.update(answer="rot", adapter=adapter))
    layer = other / "language" / "layer_00.safetensors"
    tensors = load_file(layer)
    with safe_open(layer, "np") as file:
        about = file.metadata()
    tensors["query"] = tensors["query"] * np.float32(2)
    save_file(tensors, layer, about)
    with compare_runs([tiny_run, other], tmp_path / "both", steps=[0, 30]) as both:
        moved = both.change("js_row", 0)
        assert (moved[0] > 0).all() and not moved[1:].any()
        assert [member["step"] for member in both.info["members"]] == [0, 30]
        assert list(member_names(both.info["members"]).values())[1].endswith("+ gui")
        assert both.csv().splitlines()[1].split(",")[1] == "0.5"
        export(both, "zip", tmp_path / "both.zip")
    again = unpack(tmp_path / "both.zip", tmp_path / "again", 10**8)
    assert (again / "run_1" / "run.json").is_file()


def test_runs_of_other_words_before_the_picture_or_other_sizes_are_refused_by_what_differs(tiny_run, tmp_path):
    def word(info):
        info["tokens"][1] |= {"id": 1, "text": "hue"}

    def wider(info):
        info["images"][0]["width"] += 1

    def without_vision(info):
        del info["towers"]["vision"]

    refused = [
        (word, "before the picture, at token 1: 'hue' there"),
        (wider, "the list of images"),
        (without_vision, "the list of towers"),
    ]
    for n, (change, said) in enumerate(refused):
        other = changed(tiny_run, tmp_path / f"run{n}", change)
        with pytest.raises(InvalidRequest, match=said):
            compare_runs([tiny_run, other], tmp_path / "none")
        assert not (tmp_path / "none").exists() and not (tmp_path / "none.partial").exists()


def test_frames_at_other_times_are_other_pictures(tiny_run, tmp_path):
    def at(time_s):
        return lambda info: info["images"][0].update(video=0, time_s=time_s)

    runs = [changed(tiny_run, tmp_path / str(n), at(time_s)) for n, time_s in enumerate((0.5, 0.5, 2.0))]
    with compare_runs(runs, tmp_path / "all") as found:
        assert [member.get("own_pictures") for member in found.info["members"]] == [None, None, True]


def test_each_map_lies_on_the_picture_that_its_run_read(tiny_folder, tmp_path):
    red, blue = (Image.new("RGB", (128, 96), colour) for colour in ("red", "blue"))
    runs = [
        extract(Request(picture, "what is it?", tiny_folder, device="cpu", vision=False), tmp_path / str(n))
        for n, picture in enumerate((red, blue, red))
    ]
    with compare_runs(runs, tmp_path / "both", names=["red", "blue", "again"]) as both:
        check_comparison(both)
        assert [member.get("own_pictures") for member in both.info["members"]] == [None, True, None]
        assert both.have_one_picture("base", "run_2") and not both.have_one_picture("base", "run_1")
        look = {"opacity": 0, "places": False}
        show = {"show": "left,right,difference,wipe", "split": 0.5, "layer": 1, "head": 2, "look": look, "width": 128}
        for right, colours in (("run_1", ("red", "blue", "white")), ("run_2", ("red", "red", None))):
            export(both, "png", tmp_path / f"{right}.png", right=right, **show)
            drawn = np.asarray(Image.open(tmp_path / f"{right}.png").convert("RGB"))
            third = drawn.shape[1] // 4
            for i, colour in enumerate(colours):
                panel = drawn[:, i * third : (i + 1) * third].reshape(-1, 3)
                wanted = np.array(ImageColor.getrgb(colour)) if colour else None
                if wanted is not None:
                    share = (np.abs(panel.astype(int) - wanted).max(axis=1) < 3).mean()
                    assert share > 0.5, (right, i, share)
            wipe = drawn[drawn.shape[0] // 2, 3 * third :]
            assert wipe[third // 4, 0] > 250 and (wipe[3 * third // 4, 2] > 250) == (right == "run_1")


def test_too_few_runs_double_names_and_what_is_no_run_are_refused(tiny_run, tmp_path):
    for runs, names, error, said in (
        ([tiny_run], None, InvalidRequest, "two runs at least"),
        ([tiny_run, tiny_run], ["a", "a"], InvalidRequest, "the same name"),
        ([tiny_run, tiny_run], ["a"], InvalidRequest, "need as many"),
        ([tiny_run, tmp_path], None, DamagedRun, "not a finished run"),
    ):
        with pytest.raises(error, match=said):
            compare_runs(runs, tmp_path / "none", names=names)
        assert not (tmp_path / "none.partial").exists()

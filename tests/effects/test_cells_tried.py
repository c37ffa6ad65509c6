"""Maps over cells: equal to single trials, a coarse picture first, kept as far as they were measured, gone on with."""

import json
import shutil

import numpy as np
import pytest
import tiny_families
from pictures import noise
from PIL import Image

from attention import Request, extract
from attention.capture.tried import trials, try_without
from attention.commands.main import main
from attention.effects import cells as effects
from attention.effects.cells import measure_cells
from attention.environment import EXAMPLES, POCKET
from attention.errors import Cancelled, DamagedRun, InvalidRequest, LimitExceeded, NotInRun
from attention.kinds.cells import CELLS
from attention.kinds.making import make_reading
from attention.limits import DEFAULT_KNOCK_OUTS, MAX_KNOCK_OUTS
from attention.models import loading as models
from attention.models.kept import free
from attention.readings.agreement import keys_of, tower_of_pictures
from attention.readings.cells import (
    FILE,
    BlockGrid,
    Cells,
    CellsAsked,
    block_grids,
    keys_of_block,
    region_of_block,
    spread,
)
from attention.readings.reading import INDEX, place_of, readings_folder
from attention.readings.target import Target
from attention.readings.trial import Hide
from attention.runs.partial import PartialRun


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a picture of 6 x 6 cells."""
    asked = Request(
        EXAMPLES / "two.png", "what is largest?", str(POCKET), answer="yellow circle", device="cpu", vision=False,
        max_visual_tokens=36,
    )  # fmt: skip
    return extract(asked, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def fresh(run):
    """The same run without readings."""
    shutil.rmtree(readings_folder(run), ignore_errors=True)
    return run


def of_pocket():
    return models.load(str(POCKET), "cpu")


@pytest.fixture(scope="module")
def whole(run):
    """Every cell of the run hidden, as numbers."""
    found = measure_cells(run, model=of_pocket()).changes(0)
    shutil.rmtree(readings_folder(run))
    return found


def test_every_cell_equals_its_single_trial(run, whole):
    model, asked = of_pocket(), CellsAsked.of(run)
    assert asked.block == (1, 1) and np.isfinite(whole).all() and whole.shape == run.cells(0).shape
    with trials(run, model=model) as ready:
        for each, row, col in spread(block_grids(run, (1, 1)))[::9]:
            alone = ready.without([Hide(keys_of_block(run, each, row, col))]).changes[0]
            assert whole[row, col] == pytest.approx(alone, abs=1e-6)


@pytest.mark.slow
@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "kind", [each for each in tiny_families.of_each_kind() if each.values[0] not in tiny_families.IN_PARTS]
)
def test_blocks_of_every_family_equal_single_trials_on_all_of_their_grids(kind, tmp_path):
    model = models.load(str(tiny_families.write(kind, tmp_path / "model")), "cpu")
    pictures = (noise((160, 96)), noise((96, 128)))
    run = extract("what is it?", images=pictures, answer="red", model=model, vision=False, output_dir=tmp_path / "run")
    tower = tower_of_pictures(run)
    largest = max(max(run.cells(number).shape) for number in run.grids(tower))
    asked = CellsAsked.of(run, block=max(1, -(-largest // 2)))
    found, grids = measure_cells(run, asked, model=model), block_grids(run, asked.block)
    assert [each.grid for each in grids] == run.grids(tower) and found.measured() == found.total
    for each in (grids[0], grids[-1]):
        place = each.rows - 1, each.cols - 1
        alone = try_without(run, [Hide(keys_of_block(run, each, *place), tower=tower)], model=model).changes[0]
        assert found.changes(each.grid)[place] == pytest.approx(alone, abs=2e-4)  # as `test_tried` has it
    free()


def test_a_part_of_the_order_is_a_coarse_map_and_all_of_it_has_every_block_once():
    grids = [BlockGrid(3, 16, 16, (1, 1)), BlockGrid(4, 5, 9, (1, 1))]
    order = spread(grids)
    assert len(order) == len(set(order)) == 16 * 16 + 5 * 9
    first = [(row, col) for each, row, col in order if each.grid == 3][:16]
    assert sorted(first) == [(row, col) for row in range(0, 16, 4) for col in range(0, 16, 4)]
    counts = np.cumsum([each.grid == 4 for each, _, _ in order]) / 45
    assert np.abs(counts - np.arange(1, len(order) + 1) / len(order)).max() < 0.1  # both grids fill alike


def test_blocks_cover_their_grids_and_their_boxes_are_their_cells(run):
    (each,) = block_grids(run, (4, 5))
    keys = [keys_of_block(run, each, *place) for place in np.ndindex(each.rows, each.cols)]
    assert sorted(key for block in keys for key in block) == sorted(run.cells(0).reshape(-1).tolist())
    for place in np.ndindex(each.rows, each.cols):
        region = region_of_block(run, each, *place)
        assert keys_of(run, region, "language") == keys_of_block(run, each, *place)


class Stopping(PartialRun):
    """A job that is stopped once it has told of so many batches."""

    batches = 2

    def report(self, phase, *args, **kwargs):
        if phase == "try":
            self.batches -= 1
            if not self.batches:
                self.cancel()


def test_a_stopped_map_keeps_what_it_has_without_zeros_and_goes_on_from_there(fresh, whole, tmp_path, monkeypatch):
    model, seen = of_pocket(), []
    job = Stopping.create(tmp_path / "job")
    with pytest.raises(Cancelled):
        measure_cells(fresh, model=model, partial=job, on_found=lambda found, left: seen.append((found, left)))
    kept = Cells(fresh, place_of(fresh, CellsAsked.of(fresh).name()))
    part = kept.changes(0)
    done = np.isfinite(part)
    assert kept.measured() == done.sum() == effects.FIRST + effects.AT_ONCE and (part[done] != 0).any()
    assert np.isnan(part[~done]).all() and seen[-1][1] > 0
    record = kept.to_dict()
    assert record["measured"] == {"hidden": 24} and sum(row.count(None) for row in record["grids"][0]["hidden"]) == 12
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    asked = CELLS.read(fresh, {})
    assert not CELLS.is_whole(kept, asked) and CELLS.cost(fresh, asked).passes < 15

    tried = []
    without = effects.Trials.without
    monkeypatch.setattr(
        effects.Trials, "without", lambda self, each, *rest: tried.extend(each) or without(self, each, *rest)
    )
    told = []
    monkeypatch.setattr(PartialRun, "tell", lambda self, found: told.append(found))
    again = make_reading(fresh, "cells", asked, model=model, partial=PartialRun.create(tmp_path / "other"))
    assert len(tried) == 12 and again["measured"] == {"hidden": 36} and again["name"] == kept.folder.name
    assert [each["measured"]["hidden"] for each in told] == [32, 36] and told[-1]["seconds_left"] == 0
    found = Cells(fresh, kept.folder)
    assert np.allclose(found.changes(0), whole, rtol=0, atol=1e-6) and CELLS.is_whole(found, asked)
    measure_cells(fresh, model=None)  # nothing is missing: no model is loaded
    assert len(tried) == 12


def test_painting_lies_beside_hiding_and_two_at_once_lose_nothing(fresh):
    model = of_pocket()
    asked = CellsAsked.of(fresh, block=(6, 3), rows=[fresh.info["prompt_tokens"] - 1])
    left = []
    found = measure_cells(fresh, asked, paint="mean", model=model, on_found=lambda _, seconds: left.append(seconds))
    assert left[0] is None and left[-1] == 0  # nothing was painted yet, so nobody knew how long that takes
    late = effects._Growing(fresh, asked, found.folder, None)  # began when nothing was blurred, and ends after
    found = measure_cells(fresh, asked, paint="blur", model=model)
    places = late.missing("blur")[:1]
    found = late.keep("blur", places, found.changes(0, "blur")[:1, 0], found.value, 0.0)
    assert {name: found.measured(name) for name in ("hidden", "mean", "blur")} == {"hidden": 2, "mean": 2, "blur": 2}
    with trials(fresh, model=model) as ready:
        (each,) = block_grids(fresh, asked.block)
        alone = ready.without([Hide(keys_of_block(fresh, each, 0, 1), asked.rows)]).changes[0]
        painted = ready.painted([region_of_block(fresh, each, 0, 1)], "blur").changes[0]
    assert found.changes(0)[0, 1] == pytest.approx(alone, abs=1e-6) and alone != 0
    assert found.changes(0, "blur")[0, 1] == pytest.approx(painted, abs=1e-6)
    with pytest.raises(NotInRun, match="There is no 'mean' of grid 7"):
        found.changes(7, "mean")


def test_large_grids_are_blocks_and_too_many_trials_are_refused_with_numbers(run, monkeypatch):
    shapes = {"shape": (90, 70)}
    monkeypatch.setattr(
        type(run), "cells", lambda self, number: np.arange(np.prod(shapes["shape"])).reshape(shapes["shape"])
    )
    asked = CellsAsked.of(run)
    n = -(-90 // asked.block[0]) * -(-70 // asked.block[1])
    assert asked.block == (5, 5) and n <= DEFAULT_KNOCK_OUTS < 23 * 18
    with pytest.raises(LimitExceeded, match=rf"1 x 1 cells are 6,300 trials.*{MAX_KNOCK_OUTS:,}. Blocks of 2 x 2"):
        CellsAsked.of(run, block=1)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"blocks": [0, 1]}, "A block is [0, 1]; it must be rows and columns of cells, from 1 x 1 to 6 x 6"),
        ({"blocks": 99}, "A block is 99"),
        ({"blocks": [1, 2, 3]}, "A block is [1, 2, 3]"),
        ({"blocks": ["a"]}, "blocks is 'a'"),
        ({"paint": "red"}, "paint is 'red'; it must be one of none, mean, blur"),
        ({"paint": ["mean"]}, "paint is"),
        ({"rows": [10_000]}, "There is no row 10000"),
        ({"tokens": [0]}, "Token 0 is no token of the answer"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(run, given, words):
    with pytest.raises(InvalidRequest) as refused:
        CELLS.read(run, given)
    assert words in str(refused.value)


def test_a_run_without_a_picture_or_an_answer_and_a_video_to_be_painted_are_refused(run, tmp_path):
    model = of_pocket()
    alone = extract("what color is it?", answer="red", model=model, output_dir=tmp_path / "alone")
    with pytest.raises(NotInRun, match="no region can be tried"):
        CELLS.read(alone, {})
    silent = extract("what is it?", images=noise((64, 64)), mode="prefill", model=model, output_dir=tmp_path / "silent")
    with pytest.raises(InvalidRequest, match="This run has no answer"):
        CELLS.read(silent, {})
    frames = [Image.fromarray(np.full((56, 84, 3), 40 * i, np.uint8)) for i in range(4)]
    frames[0].save(tmp_path / "four.gif", save_all=True, append_images=frames[1:], duration=250)
    video = extract(
        "what happens?", videos=tmp_path / "four.gif", answer="a wave", model=model, vision=False,
        output_dir=tmp_path / "video",
    )  # fmt: skip
    with pytest.raises(InvalidRequest, match="Frames of a video are not painted over"):
        CELLS.read(video, {"paint": "mean"})
    found = measure_cells(video, CellsAsked.of(video, block=2), model=model)
    assert found.measured() == found.total == sum(each.rows * each.cols for each in block_grids(video, (2, 2)))
    assert len(block_grids(video, (2, 2))) == len(video.grids()) > 1


def test_a_damaged_map_is_refused(fresh):
    found = measure_cells(fresh, CellsAsked.of(fresh, block=6), model=of_pocket())
    index = json.loads((found.folder / INDEX).read_text())
    for changed in (
        {"block": [0, 0]},
        {"block": [7, 1]},
        {"rows": [999]},
        {"paths": None},
        {"towers": {"vision": {}}},
    ):
        (found.folder / INDEX).write_text(json.dumps(index | changed))
        with pytest.raises(DamagedRun, match="is damaged"):
            Cells(fresh, found.folder)
    (found.folder / INDEX).write_text(json.dumps(index | {"block": [3, 3]}))
    with pytest.raises(DamagedRun, match=f"{FILE} in .* does not fit its run"):
        Cells(fresh, found.folder).changes(0)


def test_the_command_measures_keeps_and_says_what_a_stop_has_kept(fresh, capsys, monkeypatch):
    asked = ["try", str(fresh.folder), "--cells", "--blocks", "2", "2", "--model", str(POCKET)]
    with monkeypatch.context() as stopping:
        keep = effects._Growing.keep

        def interrupted(*args):
            keep(*args)
            raise KeyboardInterrupt

        stopping.setattr(effects._Growing, "keep", interrupted)
        assert main([*asked, "--quiet"]) == 130
    assert "Stopped: hidden 8 of 9 are kept. The same command goes on from there." in capsys.readouterr().err
    assert main([*asked, "--json"]) == 0
    said = capsys.readouterr()
    record = json.loads(said.out)
    assert record["measured"] == {"hidden": 9} and "9 blocks of up to 2 x 2 cells: about" in said.err
    assert main([*asked, "--quiet"]) == 0
    told = capsys.readouterr().out
    worst = min(value for row in record["grids"][0]["hidden"] for value in row)
    assert f"{worst:+.3g}" in told and "Each is tried by itself" in told
    assert main(["try", str(fresh.folder), "--top-heads", "1", "--blocks", "2", "2"]) == 2
    assert "give --cells with it" in capsys.readouterr().err


def test_the_target_is_a_token_or_one_against_another(fresh):
    first = fresh.info["prompt_tokens"]
    names = {CellsAsked.of(fresh, target, 6).name() for target in (None, Target((first,)), Target((first,), 5))}
    assert len(names) == 3
    record = make_reading(fresh, "cells", CELLS.read(fresh, {"tokens": [first], "blocks": 6.0}), model=of_pocket())
    assert record["target"] == {"tokens": [first], "against": None} and record["block"] == [6, 6]
    assert record["value"] == pytest.approx(fresh.info["logprobs"][0], abs=1e-5)

"""Readings of every item of a batch: the numbers of a single run, kept or thrown away, asked for once and for all."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_families
from made_batches import ANSWERS, PLACES, READINGS, read_batch, read_items
from pictures import noise
from safetensors.numpy import load_file

from adapters import choose, members_of
from attention import Request, ask_reading, extract, open_batch, open_run, run_as_read, run_batch
from attention.batches.as_scores import scores_of
from attention.batches.merging import merge_batches
from attention.batches.reading_columns import columns_of_readings
from attention.batches.running import cost_of_batch
from attention.batches.settings import Settings, record_of
from attention.batches.tables import OF_READINGS, OF_READINGS_AT_A_PLACE
from attention.capture.reading_forecast import forecast_reading
from attention.commands.reading import adapter_of
from attention.errors import InvalidRequest, LimitExceeded, UnsupportedModel
from attention.kinds.kept import find_reading, kept_readings
from attention.kinds.making import make_reading
from attention.kinds.table import KINDS
from attention.limits import Limits
from attention.runs.regions import Region, region_cells, region_scores
from attention.visitors.library import Library

REQUEST = replace(ANSWERS, mode="prefill")
FILES = ("items.jsonl", "scores.f32", "summary.npz")


@pytest.fixture(scope="module")
def read():
    """A batch with every reading, all of it kept. Not to be changed."""
    return open_batch(read_batch())


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The first item as a run of its own, and its readings."""
    line = read_items()[0]
    run = extract(replace(ANSWERS, images=(line["image"],), prompt=line["prompt"]), tmp_path_factory.mktemp("s") / "r")
    return run, {kind: ask_reading(run, kind, **fields) for kind, fields in READINGS.items()}


def test_numbers_are_those_of_the_readings_of_a_single_run_bit_for_bit(read, single):
    run, readings = single
    row = read.rows()[0]
    tables, own = read.tables_of(row), row["readings"]
    forecast = run_as_read(run, readings["forecast"])
    for name in ("silence_zero", "silence_mean"):
        assert np.array_equal(tables[name], forecast.row_scores(name, None))
    assert np.array_equal(tables["forecast_size"], forecast.row_scores("size", None))
    assert np.array_equal(tables["forecast_image"], forecast.row_scores("image_mass", None))
    for number, place in enumerate(PLACES):
        assert np.array_equal(tables[f"{number}.forecast_region"], forecast.knock_out(Region(tuple(place))))
    assert own["forecast"]["value"] == readings["forecast"].info["value"] and own["forecast"]["tokens"] == [93]
    for at, layer in enumerate(run.layers()):
        words = readings["lens"].words(layer, row["row"])
        assert (own["lens"]["words"][at], own["lens"]["logprobs"][at]) == words[0]
        for head in range(run.heads()):
            for truth, agreed in readings["agreement"].of_head(layer, head).items():
                assert tables[f"{truth}_rank"][at, head] == np.float32(agreed.rank)
    assert own["lens"]["answer"][-1] == pytest.approx(row["logprobs"][0])
    assert row["places"][0]["words"][-2] == " green" and row["places"][0]["cells"] == 2
    maps = readings["agreement"].summary()["agreement"]
    assert own["agreement"]["maps"] == {name: each for name, each in maps.items() if name != "random"}


def test_relative_numbers_are_one_mass_over_another(read, single):
    """A place's share is the sum over its cells of what both questions read, and all cells are the picture."""
    run, readings = single
    relative, row = readings["relative"], read.rows()[0]
    general = load_file(relative.folder / "rows.safetensors")["language"]
    tables, cells = read.tables_of(row), run.cells(0).reshape(-1)
    own = np.stack([each[:, cells] for each in run.rows(row["row"], source="factors")])
    assert np.allclose(tables["relative_image"], own.sum(axis=-1) / general.sum(axis=-1), rtol=1e-5)
    mass = region_scores(run, Region(tuple(PLACES[1])), row["row"]).tables["region_mass"]
    part = region_cells(run, Region(tuple(PLACES[1])))
    corner = np.zeros(len(cells))
    corner[3] = 1
    assert np.allclose(relative.mass(corner * 1e-4, row["row"]), relative.mass(corner, row["row"]))  # in one cell
    assert np.isnan(relative.mass(0 * corner, row["row"])).all()
    assert np.allclose(tables["1.relative_region"], mass / (general @ (part.shared / part.areas)), rtol=1e-5)


def test_kept_runs_have_their_readings_beside_them_and_the_library_shows_the_runs_alone(read, single):
    _, readings = single
    kept = open_run(read.folder / read.rows()[0]["kept"])
    assert len(kept_readings(kept)["readings"]) == 4
    for kind, truth in readings.items():
        found = find_reading(kept, truth.folder.name)
        assert found.folder.parent == kept.folder.with_name(f"{kept.folder.name}.readings")
        for file in truth.folder.rglob("*.safetensors"):
            mine, other = load_file(found.folder / file.relative_to(truth.folder)), load_file(file)
            assert all(mine[name].tobytes() == other[name].tobytes() for name in other), (kind, file.name)
    assert scores_of(read.folder).info["items"]  # as `score` and `heads` read it
    shelf = Library([read.folder])
    shelf.look()
    assert sorted(line.row["id"] for line in shelf.lines()) == sorted(row["id"] for row in read.rows())


def test_what_a_killed_process_left_goes_on_to_the_same_bytes(read, tmp_path):
    """Its run and a part of its readings lie there, its numbers in part, and no row."""
    folder = shutil.copytree(read.folder, tmp_path / "b")
    whole = {name: (folder / name).read_bytes() for name in FILES}
    row = read.rows()[1]
    (folder / "items.jsonl").write_bytes(whole["items.jsonl"].splitlines(keepends=True)[0])
    os.truncate(folder / "scores.f32", row["numbers"]["at"] + 101)
    shutil.rmtree(folder / f"{row['kept']}.readings" / "lens")
    (folder / "summary.npz").unlink()
    assert run_batch(read_items(), folder, ANSWERS, keep="all", readings=READINGS)[1].made == 1
    assert {name: (folder / name).read_bytes() for name in FILES} == whole
    assert len(kept_readings(open_run(folder / row["kept"]))["readings"]) == 4


def test_a_summary_has_a_column_for_everything_that_readings_say(read):
    found = np.load(read.folder / "summary.npz")
    for kind in READINGS:
        for name in (*OF_READINGS[kind], *OF_READINGS_AT_A_PLACE.get(kind, ())):
            assert found[name].shape == (3, 5, 4) and np.array_equal(
                read.table(name)[0], found[name][0], equal_nan=True
            )
    assert {column.name for column in columns_of_readings(READINGS)} < set(found.files)
    assert found["lens_layers"].tolist() == [0, 1, 2, 3, 4] and found["lens_word"].shape == (3, 5)
    assert found["lens_word"][0, -1] == "green" and found["lens_place_word"][:, -2].tolist()[::2] == [" green", ""]
    assert found["place_cells"].tolist() == [2, found["place_cells"][1], 0]
    assert np.isnan(found["forecast_region"]).all(axis=(1, 2)).tolist() == [False, False, True]
    assert np.isfinite(found["hidden_rank_forecast"]).all() and set(found["painted_hits_hidden"]) <= {0.0, 1.0}


def test_rows_are_kept_with_what_readings_say_of_them_and_numbers_are_the_same(read, single, tmp_path):
    run, readings = single
    found, _ = run_batch(
        read_items()[:1], tmp_path / "b", ANSWERS, keep="rows", readings=dict(reversed(READINGS.items())), batch=2
    )
    assert found.readings == list(READINGS)
    assert {path.name for path in found.folder.iterdir() if path.name[0] != "."} == {*FILES, "batch.json", "rows"}
    numbers = (found.folder / "scores.f32").read_bytes()
    assert numbers and (read.folder / "scores.f32").read_bytes().startswith(numbers)
    (row,) = found.rows()
    assert row | {"kept": None} == read.rows()[0] | {"kept": None}
    kept, forecast = load_file(found.folder / row["kept"]), run_as_read(run, readings["forecast"])
    assert np.array_equal(kept["base.forecast"][0], forecast.exact_rows(row["row"]))
    assert np.array_equal(kept["base.forecast_all"], forecast.exact_rows(None))
    ratios = np.stack(readings["relative"].rows(row["row"]))
    assert np.array_equal(kept["base.relative"][0], ratios, equal_nan=True)
    assert np.array_equal(kept["base.lens_ids"], readings["lens"].tables[0])


def test_each_member_of_a_comparison_has_readings_of_its_own(tmp_path):
    members = members_of(choose(["largest"], "pocket"), REQUEST)
    found, _ = run_batch(read_items()[1:], tmp_path / "b", ANSWERS, members, keep="all", readings=["forecast"])
    base, other = (found.table("silence_zero", member)[0] for member in found.members)
    assert not np.array_equal(base, other)
    row = found.rows("adapter_1")[0]
    run = open_run(shutil.copytree(found.folder / row["kept"] / "adapter_1", tmp_path / "run"))
    asked = KINDS["forecast"].read(run, {})
    assert not kept_readings(run)["readings"]
    make_reading(run, "forecast", asked, adapted=adapter_of(run))
    assert np.array_equal(run_as_read(run, "forecast").row_scores("silence_zero", None), other)
    merged = merge_batches([found.folder], tmp_path / "merged")
    assert kept_readings(open_run(merged.folder / row["kept"] / "adapter_1"))["readings"]


def test_parts_that_were_made_apart_keep_their_readings(read, tmp_path):
    merged = merge_batches([read.folder], tmp_path / "merged")
    for row in merged.rows():
        assert len(kept_readings(open_run(merged.folder / row["kept"]))["readings"]) == 4
    assert (merged.folder / "summary.npz").read_bytes() == (read.folder / "summary.npz").read_bytes()


def test_a_folder_is_of_one_batch_with_its_readings_and_one_without_is_what_it_was(tmp_path):
    """Batches of older versions are format 1, say nothing of readings, and go on: their items keep their ids."""
    plain = record_of(Settings(REQUEST))
    assert plain["format"] == 1 and list(plain) == ["format", "keep", "rows", "settings", "members"]
    given = read_items()[:1]
    found, _ = run_batch(given, tmp_path / "b", ANSWERS)
    assert not found.readings and "readings" not in found.rows()[0]
    assert run_batch(given, tmp_path / "b", ANSWERS)[1].known == 1
    with pytest.raises(InvalidRequest, match=r"readings are none there and .*'forecast'.* here"):
        run_batch(given, tmp_path / "b", ANSWERS, readings=["forecast"])


def test_an_item_that_has_no_such_token_is_a_row_with_its_reason(tmp_path):
    given = [*read_items()[:1], read_items()[1] | {"answer": "red"}]
    found, counts = run_batch(given, tmp_path / "b", REQUEST, readings=["forecast"])
    assert (counts.made, counts.failed) == (1, 1) and found.rows()[0]["answer"] == "red"
    assert "has no answer, and its forecast is of one" in found.errors()[0]["reason"]
    given = [read_items()[1], read_items()[1] | {"answer": "click (120, 200)"}]
    found, counts = run_batch(
        given, tmp_path / "c", ANSWERS, keep="all",
        readings={"forecast": {"target": "place"}},
    )  # fmt: skip
    assert (counts.made, counts.failed) == (1, 1) and "No forecast: The answer names no place" in found.errors()[0][
        "reason"
    ]
    (row,) = found.rows()
    (token,) = row["readings"]["forecast"]["tokens"]
    with open_run(found.folder / row["kept"]) as run:
        assert run.info["tokens"][token]["text"] == "1"
    assert len(list((found.folder / "runs").iterdir())) == 2  # of the other item neither run nor reading stayed


def test_a_model_of_which_a_reading_cannot_be_made_stops_the_work_before_any_item_is_kept(tmp_path, monkeypatch):
    from attention.capture import backward

    truly, calls = backward.differentiated, []

    def none(*_):
        raise UnsupportedModel("It has no gradient.")

    monkeypatch.setattr(backward, "differentiated", none)
    with pytest.raises(UnsupportedModel, match="No forecast: It has no gradient"):
        run_batch(read_items(), tmp_path / "b", ANSWERS, keep="all", readings=["forecast"])
    assert not len(open_batch(tmp_path / "b")) and not list((tmp_path / "b" / "runs").iterdir())

    def later(*given):
        calls.append(given)
        return truly(*given) if len(calls) == 1 else none()

    monkeypatch.setattr(backward, "differentiated", later)
    found, counts = run_batch(read_items(), tmp_path / "b", ANSWERS, keep="all", readings=["forecast"])
    assert (counts.made, counts.failed) == (1, 1) and found.errors()[0]["reason"] == "No forecast: It has no gradient."


def test_the_cost_of_an_item_is_known_before_anything_is_run(read, tmp_path):
    """Of an answer that is given the run has as many tokens as was said: the bytes are those that come."""
    given = [read_items()[0] | {"answer": "green"}]
    of = {"request": ANSWERS, "keep": "all", "readings": ["forecast", "lens"]}
    cost = cost_of_batch(given, tmp_path / "b", **of)
    assert not (tmp_path / "b").exists()
    found, _ = run_batch(given, tmp_path / "b", **of)
    with open_run(found.folder / found.rows()[0]["kept"]) as run:
        kinds = [KINDS[kind] for kind in found.readings]
        costs = [kind.cost(run, kind.read(run, {})) for kind in kinds]
        assert cost.tokens == len(run.info["tokens"]) and cost.reading_bytes == sum(each.n_bytes for each in costs)
        assert cost.passes == pytest.approx(sum(each.passes for each in costs)) and cost.keeps
        expected = [forecast_reading(run, each) for each in costs]
    assert cost.reading_memory >= max(each.memory_bytes for each in expected)
    with pytest.raises(LimitExceeded, match="on disk"):
        cost_of_batch(given, tmp_path / "b", **of, limits=replace(Limits(), run_bytes=1000))


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("name", "box", "readings"),
    [("idefics2", None, ["lens"]), ("mllama", [0, 0, 64, 48], ["forecast", "lens"])],
)
def test_models_whose_pictures_are_no_tokens_have_the_readings_of_a_single_run(tmp_path, name, box, readings):
    folder = tiny_families.write(name, tmp_path / "model")
    noise((64, 48)).save(tmp_path / "a.png")
    line = {"image": str(tmp_path / "a.png"), "prompt": "what?", "answer": "red", "box": box}
    found, _ = run_batch([line], tmp_path / "b", Request(model=str(folder), device="cpu"), readings=readings)
    (row,) = found.rows()
    assert row["readings"]["lens"]["words"]
    assert [place["cells"] > 0 for place in row["places"]] == [True] * (box is not None)  # a forecast's own


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        (["cells"], "no reading 'cells'; it makes forecast, relative, lens, agreement"),
        ({"forecast": {"target": "last"}}, "The target is 'last'; it is answer, first, place"),
        ({"agreement": {"sides": 1}}, "sides is 1; it must be from 2 to 16"),
        ({"relative": {"prompt": " "}}, "The general question is ' '"),
        ({"lens": {"tokens": [1]}}, "Of every item's lens 'tokens' is not asked"),
    ],
)
def test_what_cannot_be_asked_of_every_item_is_refused_before_anything_is_run(tmp_path, readings, said):
    with pytest.raises(InvalidRequest, match=said):
        run_batch(read_items(), tmp_path / "b", ANSWERS, readings=readings)
    assert not (tmp_path / "b").exists()


def test_rows_of_items_are_json(read):
    for line in (read.folder / "items.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=pytest.fail)

"""Regions and heads tried beside controls, and maps judged by what hiding and painting do."""

import json
import re
from contextlib import nullcontext

import numpy as np
import pytest

from attention import Request, extract
from attention.capture.tried import painted
from attention.commands.main import main
from attention.effects.agreeing import HIDDEN, PAINTED, Agreeing, agree
from attention.effects.beside_controls import BesideControls, try_heads, try_region
from attention.effects.controls import control_heads, control_regions
from attention.effects.keeping_agreement import keep_agreement
from attention.effects.over_set import BEST, over_set
from attention.effects.record import tried_record
from attention.environment import EXAMPLES, POCKET
from attention.errors import Cancelled, DamagedRun, InvalidRequest, NotInRun
from attention.kinds.agreement import AGREEMENT
from attention.models import loading as models
from attention.readings.agreement import agreement, keys_of, picture_blocks, spearman
from attention.readings.forecast import FLAT, NEAR_CERTAIN
from attention.readings.kept_agreement import FLAT_ORDER, KeptAgreement
from attention.readings.reading import INDEX
from attention.readings.target import Target
from attention.runs.partial import PartialRun
from attention.runs.regions import Region


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    asked = Request(EXAMPLES / "two.png", "what is largest?", str(POCKET), mode="generate", device="cpu", vision=False)
    return extract(asked, tmp_path_factory.mktemp("runs") / "run")


def of_pocket():
    return models.load(str(POCKET), "cpu")


def test_rank_correlation_of_the_truth_of_its_reverse_and_of_ties():
    truth = np.array([-3.0, -1.0, 0.5, 0.0, 2.0])
    assert spearman(truth, truth * 7) == 1 and spearman(truth, -truth) == -1
    assert np.isnan(spearman(truth, np.zeros(5)))
    assert spearman(np.array([1, 2, 2, 3]), np.array([1, 2, 3, 4])) == pytest.approx(0.9486832980505138)
    assert agreement(truth, truth).hits and not agreement(-truth, truth).hits
    assert not agreement(np.zeros(5), truth).hits  # what says the same of all names none


def test_regions_are_parts_of_the_picture_and_their_cells_lie_in_them(run):
    blocks = picture_blocks(run, 4)
    cells = run.cells(0)
    assert len(blocks) == 16 and sorted(key for block in blocks for key in block.keys) == sorted(cells.reshape(-1))
    for block in blocks:
        assert keys_of(run, block.region, "language") == block.keys
    first, last = blocks[0].region.place, blocks[-1].region.place
    assert first[:2] == (0, 0) and last[2:] == (run.info["images"][0]["width"], run.info["images"][0]["height"])
    assert keys_of(run, Region((0.0, 0.0, 2.0, 2.0)), "language") == ()


def test_controls_are_as_large_elsewhere_and_about_as_much_read(run):
    rows = [run.info["prompt_tokens"] - 1]
    keys = picture_blocks(run, 4)[5].keys
    found = control_regions(run, keys, rows)
    row = run.exact_rows(rows[0]).mean(axis=(0, 1))
    assert len(found.keys) == 20 == len(set(found.keys))
    assert all(len(set(each)) == len(keys) and not set(each) & set(keys) for each in found.keys)
    gaps = [abs(row[list(each)].sum() / row[list(keys)].sum() - 1) for each in found.keys]
    assert found.gap == pytest.approx(max(gaps)) and found.are_alike == (max(gaps) <= 0.2)


def test_control_heads_together_read_as_much_or_are_the_nearest_that_there_are():
    masses = np.array([[0.5, 0.52, 0.48], [0.01, 0.9, 0.55]])
    sets, gap = control_heads(masses, [(0, 0)], n=3)
    assert sorted(sets) == [[(0, 1)], [(0, 2)], [(1, 2)]] and gap == pytest.approx(0.1)
    pairs, gap = control_heads(masses, [(0, 0), (1, 0)], n=1)
    assert pairs == [[(0, 1), (0, 2)]] and gap == pytest.approx(abs(1.0 - 0.51) / 0.51)  # no two others read so little
    assert control_heads(masses, [(layer, head) for layer in (0, 1) for head in range(2)]) == ([], 0.0)
    many = np.random.default_rng(0).random((8, 16))
    sets, gap = control_heads(many, [(0, 0), (3, 5), (7, 1)])
    assert len(sets) == 20 and gap <= 0.2 and not any({(0, 0), (3, 5), (7, 1)} & set(each) for each in sets)


def test_a_region_is_measured_beside_controls_and_its_forecast(run):
    model = of_pocket()
    blocks = picture_blocks(run, 4)
    found = agree(run, paints=False, model=model)
    worst = int(found.measured[HIDDEN].argmin())
    one = try_region(run, blocks[worst].region, paint="mean", model=model)
    assert one.change == pytest.approx(found.measured[HIDDEN][worst], abs=1e-5)
    assert one.forecast == pytest.approx(found.maps["forecast"][worst], abs=1e-6)
    assert one.change < one.controls.min() and len(one.controls) == 20 and one.painted is not None
    with pytest.raises(NotInRun, match="covers half of no cell"):
        try_region(run, Region((0.0, 0.0, 2.0, 2.0)), model=model)


def test_heads_of_the_largest_forecast_are_silenced_together(run):
    model = of_pocket()
    heads, found = try_heads(run, 3, model=model)
    assert len(heads) == len(set(heads)) == 3 and found.change < 0 and found.change < np.median(found.controls)
    assert try_heads(run, heads, model=model)[1].change == pytest.approx(found.change)
    with pytest.raises(InvalidRequest, match="100 heads were asked for"):
        try_heads(run, 100, model=model)
    twice, again = try_heads(run, [*heads, heads[0]], model=model)
    assert twice == heads and again.forecast == found.forecast and again.change == pytest.approx(found.change)
    most = len(run.layers()) * run.heads() - 2  # there are too few others to set beside so many
    assert [len(try_heads(run, n, model=model)[1].controls) for n in (most, most + 2)] == [0, 0]


@pytest.mark.parametrize(("value", "words"), [(-0.049, FLAT), (0.0, FLAT), (-0.051, ""), (-3.0, "")])
def test_a_record_says_where_a_forecast_says_little(value, words):
    found = BesideControls(value, -9.2, 0.001, np.array([]), 0.0, ([], []))
    assert tried_record(found)["caution"] == words


def test_heads_of_a_run_without_a_picture_are_silenced_too(tmp_path):
    model = of_pocket()
    alone = extract(Request(prompt="what color is it?", answer="red", device="cpu"), tmp_path / "run", model=model)
    heads, found = try_heads(alone, 1, model=model)
    assert len(heads) == 1 and len(found.controls) > 0 and found.gap == 0 and found.change < 0
    with pytest.raises(NotInRun, match="no region can be tried"):
        agree(alone, model=model)


def test_the_forecast_beside_trials_is_of_the_same_adapter_and_stops_with_them(run, tmp_path):
    model, target, switched = of_pocket(), Target((run.info["prompt_tokens"],)), []

    def adapted(loaded):
        switched.append(loaded)
        return nullcontext()

    agree(run, target, sides=2, paints=False, model=model, adapted=adapted)
    assert len(switched) == 2  # for the forecast, and for the trials
    partial = PartialRun.create(tmp_path / "job")
    partial.cancel()
    with pytest.raises(Cancelled):
        agree(run, Target(target.tokens, 5), sides=2, paints=False, model=model, partial=partial)


def test_painting_changes_the_box_alone():
    from pictures import noise

    picture = noise((64, 48))
    before = np.array(picture, int)
    for by in ("mean", "blur"):
        after = np.array(painted(picture, [(8, 4, 40, 20)], by), int)
        inside = np.zeros(before.shape[:2], bool)
        inside[4:20, 8:40] = True
        assert (after[~inside] == before[~inside]).all() and (after[inside] != before[inside]).any()
    assert (np.array(painted(picture, [(8, 4, 40, 20)], "mean"))[4:20, 8:40] == np.rint(before.mean(axis=(0, 1)))).all()


def test_over_a_set_the_truth_agrees_wholly_and_a_random_order_does_not():
    rng = np.random.default_rng(0)
    inputs = []
    for _ in range(40):
        truth = rng.normal(size=16)
        heads = rng.normal(size=(2, 3, 16))
        heads[1, 2] = truth + rng.normal(size=16) / 4  # the one that knows
        maps = {"random": rng.normal(size=16), "forecast": truth * 2, "mean": -truth}
        inputs.append(Agreeing([], Target((1,)), 0.0, maps, {HIDDEN: truth, PAINTED: rng.normal(size=16)}, heads))
    found = over_set(inputs)
    of = {name: found.rows[name][HIDDEN] for name in ("random", "forecast", "mean", BEST)}
    assert of["forecast"]["rank"] == of["forecast"]["hits"] == 1 and of["mean"]["rank"] == -1
    assert of["random"]["rank_low"] < 0 < of["random"]["rank_high"] and found.heads == [(1, 2), (1, 2)]
    assert of[BEST]["rank"] > 0.8 and set(found.rows[HIDDEN]) == {PAINTED}
    with pytest.raises(InvalidRequest, match="needs two inputs"):
        over_set(inputs[:1])
    one_picture = over_set(inputs[:6], ["star"] * 6)  # no head can be chosen on one half and judged on another
    assert one_picture.heads == [] and BEST not in one_picture.rows and "mean" in one_picture.rows


def test_the_commands_say_it_in_numbers_and_words(run, capsys):
    asked = ["--model", str(POCKET), "--quiet"]
    assert main(["try", str(run.folder), "--box", "0", "0", "120", "120", "--json", *asked]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["region"] == [0, 0, 120, 120] and len(record["controls"]) == 20 and record["painted"] is None
    assert bool(record["caution"]) == (record["value"] > NEAR_CERTAIN)
    assert main(["try", str(run.folder), "--top-heads", "2", *asked]) == 0
    said = capsys.readouterr().out
    assert "the answer's log-probability changes by" in said and "Forecast:" in said and "other heads" in said
    assert (FLAT in said) == bool(record["caution"])
    assert main(["agree", str(run.folder), "--no-paint", "--sides", "3", "--json", *asked]) == 0
    record = json.loads(capsys.readouterr().out)
    assert len(record["regions"]) == 9 and record["agreement"]["forecast"]["hidden"]["rank"] > 0.5
    assert main(["try", str(run.folder), "--head", "99", "0", *asked]) == 2
    assert "Layer 99" in capsys.readouterr().err
    assert main(["agree", *asked]) == 2
    capsys.readouterr()


def test_agreement_is_kept_with_every_head_and_found_again(run, capsys):
    target = Target.of(run)
    kept = keep_agreement(run, sides=2, model=of_pocket())
    again = keep_agreement(run, sides=2, model=None)  # found: no model is loaded
    assert again.table() == kept.table() and kept.info["target"] == target.to_dict()
    blocks = picture_blocks(run, 2)
    row = np.mean([run.row(3, token - 1)[1] for token in target.tokens], axis=0, dtype=np.float64)
    mass = -np.array([row[list(each.keys)].sum() for each in blocks])
    own = kept.of_head(3, 1)
    for truth, found in kept.measured.items():
        assert own[truth].rank == pytest.approx(agreement(mass, found).rank)
    record = AGREEMENT.content(kept)
    assert record["n_inputs"] == 1 and record["n_regions"] == 4 == len(record["regions"])
    assert [each["keys"] for each in record["regions"]] == [list(each.keys) for each in blocks]
    assert record["caution"] == (FLAT_ORDER if kept.info["value"] > NEAR_CERTAIN else "")
    assert record["chance"]["hidden"]["hits"] == 0.25 and 0.9 <= record["chance"]["hidden"]["rank"] <= 1
    assert AGREEMENT.name_of(run, AGREEMENT.read(run, {"sides": 2})) == kept.folder.name
    other = keep_agreement(run, Target.of(run, target.tokens[0], 7), sides=2, paints=False, model=of_pocket())
    assert other.info["value"] > 0 and not other.info["caution"], "a difference of logits is no probability"
    for wrong, words in (((99,), "no layer 99"), ((3, 99), "no head 99")):
        with pytest.raises(NotInRun, match=words):
            kept.of_head(*wrong)
    for sides in (1, 17):
        with pytest.raises(InvalidRequest, match=f"sides is {sides}"):
            AGREEMENT.read(run, {"sides": sides})
    asked = ["agree", str(run.folder), "--sides", "2", "--model", str(POCKET), "--quiet"]
    assert main([*asked, "--head", "3", "1"]) == 0
    said = capsys.readouterr().out
    assert "attention, layer 3 head 1" in said and "n = 1, descriptive" in said and "1 in 4" in said
    assert main([*asked, "--seed", "3"]) == 2 and "Leave it out" in capsys.readouterr().err
    index = kept.folder / INDEX
    info = json.loads(index.read_text())
    for changed in ({"maps": {"mean": [0.0]}}, {"measured": {}}, {"regions": []}, {"caution": None}):
        index.write_text(json.dumps(info | changed))
        with pytest.raises(DamagedRun, match="is damaged"):
            KeptAgreement(run, kept.folder)
    index.write_text(json.dumps(info))


def test_a_setting_that_would_be_passed_over_is_refused(run, capsys):
    a_box = ["try", str(run.folder), "--box", "0", "0", "120", "120", "--quiet"]
    assert main([*a_box, "--coordinates", "read"]) == 2
    assert "give --answer with it" in capsys.readouterr().err
    assert main([*a_box, "--device", "cpu"]) == main(["agree", str(run.folder), "--dtype", "float32", "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "--device says how the model of --model is loaded" in said and "--dtype says" in said


def test_a_set_is_told_in_numbers_and_without_them_in_null(capsys, tmp_path):
    pictures = [EXAMPLES / "two.png", EXAMPLES / "two.png", EXAMPLES / "missing.png"]
    items = [{"image": str(each), "prompt": "what is largest?", "click": [9, 9]} for each in pictures]
    lines = tmp_path / "set.jsonl"
    lines.write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    asked = ["agree", "--jsonl", str(lines), "--model", str(POCKET), "--no-paint", "--sides", "2", "--json", "--quiet"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    record = json.loads(said)
    assert "NaN" not in said and len(record["items"]) == 2 and len(record["refused"]) == 1
    mean = record["agreement"]["mean"]["hidden"]
    assert mean["rank_low"] is None and mean["n"] == 2  # both are of one picture: there is no interval
    asked.remove("--json")
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 inputs of set.jsonl, 2 x 2 regions each.") and "missing.png" in told
    hits = rf"{mean['hits']:.2f} \[{mean['hits_low']:.2f}, {mean['hits_high']:.2f}\]"
    assert re.search(rf"{mean['rank']:.2f} \[-, -\] +{hits}", told), told
    lines.write_text(json.dumps(items[2]), encoding="utf-8")
    assert main([*asked, "--json"]) == 2 and "missing.png" in capsys.readouterr().out

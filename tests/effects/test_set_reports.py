"""Reports over a set beside agreement: curves, silenced heads, layers drawn anew; each item once."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from attention import Request, extract
from attention.capture.tried import painted
from attention.commands.main import main
from attention.effects.curves import (
    DELETION,
    INSERTION,
    MOST_STEPS,
    curves_record,
    measure_curves,
    n_trials,
    read_curves,
)  # fmt: skip
from attention.effects.reinitialised import CASCADE_NAMES, Reinitialised
from attention.effects.set_reports import curves_over_set, silenced_over_set
from attention.environment import EXAMPLES, POCKET
from attention.errors import Cancelled, LimitExceeded
from attention.models import loading as models
from attention.readings.agreement import HIDDEN, PAINTED
from attention.scoring import agreed_items


class Additive:
    """Trials of a model whose answer loses a fixed amount with each region, whatever else is gone."""

    def __init__(self, losses, against=None):
        self.losses, self.target, self.asked = losses, SimpleNamespace(against=against), []

    def without(self, tried, on_done):
        self.asked += tried
        return SimpleNamespace(
            value=-0.1, values=-0.1 + np.array([self.losses[list(each.keys)].sum() for each in tried])
        )

    def painted_together(self, parts, on_done):
        return self.without([SimpleNamespace(keys=part) for part in parts], on_done)


def blocks(n):
    return [SimpleNamespace(keys=(i,), region=i) for i in range(n)]


@pytest.mark.parametrize("by", [HIDDEN, PAINTED])
@pytest.mark.parametrize(("n", "against"), [(9, None), (40, 5)])
def test_the_true_order_falls_fastest_and_rises_fastest(n, against, by):
    losses = -np.random.default_rng(n).random(n)
    ready = Additive(losses, against)
    maps = {"truth": losses, "reverse": -losses, "other": np.random.default_rng(0).random(n)}
    found = measure_curves(ready, blocks(n), maps, by)
    steps = min(n, MOST_STEPS)
    assert len(ready.asked) <= n_trials(n, len(maps)) and len(found.first["truth"]) == steps + 1
    deletion, insertion = ({name: found.area(name, kind) for name in maps} for kind in (DELETION, INSERTION))
    assert deletion["truth"] < deletion["other"] < deletion["reverse"]
    assert insertion["truth"] > insertion["other"] > insertion["reverse"]
    for name in maps:
        falls, rises = found.curve(name, DELETION), found.curve(name, INSERTION)
        assert falls[0] == rises[-1] and falls[-1] == pytest.approx(rises[0])
        assert ((falls >= 0) & (falls <= 1)).all() and (np.diff(falls) <= 0).all() and (np.diff(rises) >= 0).all()
    again = read_curves(json.loads(json.dumps(curves_record(found))))
    assert again.area("other", INSERTION) == found.area("other", INSERTION)


def test_means_over_a_set_are_of_curves_of_any_length_and_random_heads_are_beside_the_forecasts():
    found = [measure_curves(Additive(-np.ones(n)), blocks(n), {"mean": np.arange(n)}, HIDDEN) for n in (4, 6, 16)]
    groups = np.array(["a", "b", "c"])
    said = curves_over_set(found, groups)["mean"][DELETION]
    assert len(said["curve"]["mean"]) == 17 and said["area"]["n"] == 3
    assert said["area"]["mean"] == pytest.approx(np.mean([each.area("mean", DELETION) for each in found]))
    inputs = [
        {"change": change, "controls": [-0.5, 0.1], "gap": 0.1, "changes_answer": change < -1}
        for change in (-2.0, -0.3, 0.0)
    ]
    said = silenced_over_set(inputs, groups)
    assert said["heads"]["mean"] == pytest.approx(-2.3 / 3) and said["others"]["mean"] == pytest.approx(-0.2)
    assert said["worse"]["mean"] == pytest.approx(2 / 3) and said["changed"]["mean"] == pytest.approx(1 / 3)


def test_several_regions_are_painted_as_each_alone():
    from pictures import noise

    picture, one, other = noise((64, 48)), (8, 4, 20, 20), (30, 10, 50, 40)
    together = np.array(painted(picture, [one, other], "mean"))
    for box, outside in ((one, other), (other, one)):
        alone = np.array(painted(picture, [box], "mean"))
        x0, y0, x1, y1 = outside
        alone[y0:y1, x0:x1] = together[y0:y1, x0:x1]
        assert (alone == together).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    asked = Request(EXAMPLES / "two.png", "what is largest?", str(POCKET), mode="generate", device="cpu", vision=False)
    return extract(asked, tmp_path_factory.mktemp("runs") / "run")


def test_layers_are_drawn_anew_in_a_copy_and_the_model_keeps_its_bits(run, monkeypatch):
    loaded = models.load(str(POCKET), "cpu")
    before = {name: each.clone() for name, each in loaded.model.state_dict().items()}
    again = Reinitialised(loaded)
    assert again.steps == [0, 1, 2, 3, 4]
    again.steps = [1, 4]
    found = again.cascade(run)
    assert found.layers == [4, 1] and set(found.ranks) == set(CASCADE_NAMES)
    assert abs(found.values[1] - sum(run.info["logprobs"])) > 1 and found.values[0] != found.values[1]
    assert abs(found.ranks["forecast"][1]) < 0.6 and all(
        -1 <= each <= 1 for row in found.ranks.values() for each in row
    )
    asked = []

    def stop():
        asked.append(None)
        if len(asked) == 2:
            raise Cancelled("Stopped.")

    again.steps = [1, 4]
    with pytest.raises(Cancelled):
        again.cascade(run, check=stop)
    for model in (loaded.model, again._own.loaded.model):  # its own, and the copy's, which is drawn anew next time
        assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    shared = {each.data_ptr() for each in loaded.model.parameters()}
    own = {each.data_ptr() for each in again._own.layers.parameters()}
    assert not own & shared
    assert all(each.data_ptr() in shared | own for each in again._own.loaded.model.parameters())
    monkeypatch.setattr("attention.capture.room_for_reading.available_memory", lambda device: 1000)
    with pytest.raises(LimitExceeded, match=r"A copy of the language layers of .* takes [0-9]+ MB of memory on cpu"):
        Reinitialised(loaded)


def test_a_set_is_measured_once_and_told_in_tables_json_and_csv(tmp_path, capsys, monkeypatch):
    items = [
        {"image": str(EXAMPLES / name), "prompt": "what is largest?", "click": [9, 9]}
        for name in ("two.png", "tall.png")
    ]
    lines = tmp_path / "set.jsonl"
    lines.write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    asked = [
        "agree", "--jsonl", str(lines), "--model", str(POCKET), "--no-paint", "--sides", "2",
        "--curves", "hidden", "painted", "--silence", "2", "--quiet", "--output-dir", str(tmp_path / "kept"), "--csv",
        str(tmp_path / "all.csv"),
    ]  # fmt: skip
    assert main([*asked, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["silenced"]["n"] == 2 and record["silenced"]["heads"]["n"] == 2
    for by in (HIDDEN, PAINTED):
        assert set(record["curves"][by]) == {*record["agreement"], "hidden"} - {"best_head"}
    ends = [[record["curves"][by]["mean"][DELETION]["curve"]["mean"][at] for by in (HIDDEN, PAINTED)] for at in (0, -1)]
    assert ends[0][0] == pytest.approx(ends[0][1], abs=1e-5), "nothing is gone yet"
    assert max(ends[1]) < min(ends[0]) and ends[1][0] != ends[1][1], "a grey picture is no hidden one"
    monkeypatch.setattr(agreed_items, "agree", None)  # nothing is measured twice
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "Regions hidden one after the other" in said and "Regions painted one after the other" in said
    assert "The 2 heads of the largest forecast silenced" in said
    with open(tmp_path / "all.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    area = next(each for each in rows if (each["table"], each["map"], each["measure"]) == ("area", "mean", DELETION))
    assert float(area["mean"]) == record["curves"]["hidden"]["mean"][DELETION]["area"]["mean"]
    assert sum(each["table"] == "curve" and each["map"] == "mean" for each in rows) == 2 * 2 * 5
    assert main(["agree", str(tmp_path), "--silence", "2"]) == 2
    assert "--silence is of a set" in capsys.readouterr().err

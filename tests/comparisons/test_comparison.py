"""Comparisons: what a planted change moves and what it does not, whose words are read, and the folder as it is read."""

import json

import numpy as np
import pytest
import torch
from made_adapters import saved_adapter, write_adapter
from pictures import noise
from safetensors import safe_open

from adapters import open_comparison
from adapters.choosing import choose
from adapters.comparing import compare, fill_comparison
from attention.comparisons.measuring import ranges
from attention.errors import Cancelled, DamagedRun, InvalidRequest, LimitExceeded, NotInRun
from attention.measures.differences import NAMES
from attention.models import loading as models
from attention.models.kept import INFERENCE
from attention.request import Request
from attention.runs.partial import PartialRun, read_progress
from attention.runs.schema import COMPARISON

PROMPT = "what color is the star?"
HEADS, KV_HEADS, HEAD_DIM, LAYERS, WIDTH = 4, 2, 16, 3, 48


@pytest.fixture(scope="module")
def picture():
    return noise((128, 96))


@pytest.fixture
def compared(tiny_folder, picture, tmp_path):
    """Compare the tiny model with adapters; returns the comparison."""
    opened = []

    def run(*adapters, words="base", **fields):
        fields = {"answer": "red star"} | fields if "mode" not in fields else fields
        request = Request(picture, PROMPT, tiny_folder, device="cpu", **fields)
        found = compare(request, choose(adapters, tiny_folder), tmp_path / f"comparison_{len(opened)}", words)
        opened.append(found)
        return found

    yield run
    for comparison in opened:
        comparison.close()


def planted(folder, module, rows, out, into=WIDTH, seed=0, size=2.0):
    """An adapter that changes some rows of one module's output, and nothing else."""
    generator = torch.Generator().manual_seed(seed)
    b = torch.zeros(out, 4)
    b[rows] = size * torch.randn(b[rows].shape, generator=generator)
    tensors = {
        f"base_model.model.{module}.lora_A.weight": torch.randn(4, into, generator=generator),
        f"base_model.model.{module}.lora_B.weight": b,
    }
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": [module.rpartition(".")[2]]}
    config["layers_to_transform"] = [int(module.split("layers.")[1].split(".")[0])]
    return write_adapter(folder, config, tensors)


def head_rows(head):
    return slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)


def attention_of(layer, part):
    return f"model.language_model.layers.{layer}.self_attn.{part}"


def changed(comparison, adapter=0, measure="js_row"):
    return comparison.change(measure, adapter)


# Ground truth


@pytest.mark.sample(8)
@pytest.mark.parametrize("plant", range(20))
def test_a_planted_head_is_found_first_and_earlier_layers_are_exactly_the_bases(plant, compared, tmp_path):
    rng = np.random.default_rng(plant)
    layer, head = int(rng.integers(LAYERS)), int(rng.integers(HEADS))
    folder = planted(tmp_path / "query", attention_of(layer, "q_proj"), head_rows(head), HEADS * HEAD_DIM, seed=plant)
    comparison = compared(str(folder), vision=False)
    table = comparison.table("js_row")[0]
    assert (table[:layer] == 0).all()
    others = [h for h in range(HEADS) if h != head]
    assert (table[layer, others] == 0).all() and (table[layer, head] > 0).any()
    first = comparison.moved(0, "js_row", n=HEADS * LAYERS)
    in_layer = [each["head"] for each in first if each["layer"] == layer]
    assert in_layer[0] == head
    if layer == LAYERS - 1:  # nothing later inherits the change
        assert (first[0]["layer"], first[0]["head"]) == (layer, head)


@pytest.mark.parametrize("kv_head", range(KV_HEADS))
def test_a_planted_key_head_moves_its_group_alone(kv_head, compared, tmp_path):
    folder = planted(tmp_path / "key", attention_of(1, "k_proj"), head_rows(kv_head), KV_HEADS * HEAD_DIM)
    change = changed(compared(str(folder), vision=False))
    group = list(range(kv_head * HEADS // KV_HEADS, (kv_head + 1) * HEADS // KV_HEADS))
    others = [head for head in range(HEADS) if head not in group]
    assert (change[0] == 0).all() and (change[1, others] == 0).all() and (change[1, group] > 0).all()


@pytest.mark.parametrize(
    ("part", "out", "into"),
    [("self_attn.v_proj", 32, WIDTH), ("self_attn.o_proj", WIDTH, 64), ("mlp.up_proj", 64, WIDTH)],
)
def test_values_outputs_and_mlps_move_nothing_in_their_own_layer(part, out, into, compared, tmp_path):
    folder = planted(tmp_path / "other", f"model.language_model.layers.1.{part}", slice(None), out, into)
    change = changed(compared(str(folder), vision=False))
    assert (change[:2] == 0).all() and (change[2] > 0).all()


def test_an_adapter_of_zeros_changes_exactly_nothing(compared, tmp_path):
    folder = planted(tmp_path / "zero", attention_of(0, "q_proj"), slice(0), HEADS * HEAD_DIM)
    comparison = compared(str(folder))
    for tower in comparison.base.towers():
        for measure in NAMES:
            values = comparison.table(measure, tower)
            assert (values[~np.isnan(values)] == 0).all(), (tower, measure)
    assert np.array_equal(*comparison.logprobs())


# The numbers


def test_the_tables_are_the_measures_of_the_runs_rows(compared, tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter", target_modules=["q_proj", "k_proj", "qkv"])
    comparison = compared(str(folder))
    base, adapter = comparison.base, comparison.adapters[0]
    rng = np.random.default_rng(0)
    for tower in base.towers():
        cells = np.arange(base.keys(tower))[base.pictures(tower)[0]]
        for query in rng.choice(comparison.queries(tower), 5):
            layer = int(rng.choice(base.layers(tower)))
            p, q = (run.row(layer, int(query), tower, "factors").astype(np.float64) for run in (base, adapter))
            at = base.layers(tower).index(layer), slice(None)
            values = {name: comparison.change(name, 0, int(query), tower)[at] for name in NAMES}
            assert np.allclose(values["tv_row"], np.abs(p - q).sum(axis=1) / 2, atol=1e-6)
            assert np.allclose(values["d_image_mass"], (q - p)[:, cells].sum(axis=1), atol=1e-6)
            middle = (p + q) / 2
            divergence = [
                sum((r[r > 0] * np.log2(r[r > 0] / m[r > 0])).sum() for r in pair) / 2
                for *pair, m in zip(p, q, middle, strict=True)
            ]
            assert np.allclose(values["js_row"], divergence, atol=1e-6)


def test_a_row_that_was_not_compared_beforehand_is_compared_when_asked_for(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter")))
    row = min(comparison.queries()) - 1
    live = comparison.change("js_row", 0, row)
    assert live.shape == (LAYERS, HEADS) and (live[1:] > 0).any()
    kept = comparison.queries()[0]
    table, comparison.info["queries"]["language"] = comparison.change("js_row", 0, kept), []
    assert np.allclose(comparison.change("js_row", 0, kept), table, atol=1e-6)


def test_the_mean_is_over_the_rows_that_predict_the_answer(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter")))
    rows = comparison.answer_rows()
    info = comparison.base.info
    assert rows == list(range(info["prompt_tokens"] - 1, len(info["tokens"]) - 1))
    each = np.stack([comparison.change("js_image", 0, row) for row in rows])
    assert np.allclose(comparison.change("js_image", 0), each.mean(axis=0), atol=1e-6)


def test_logprobs_are_each_members_own(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter", size=1.0)))
    found = comparison.logprobs()
    assert found.shape == (2, len(comparison.answer_rows())) and not np.allclose(found[0], found[1])
    for run, values in zip(comparison.runs.values(), found, strict=True):
        assert np.allclose(run.info["logprobs"], values)


def test_the_table_has_every_head_of_every_adapter(compared, tiny_folder, tmp_path):
    folder = saved_adapter(tiny_folder, tmp_path / "adapter")
    comparison = compared(str(folder), f"{folder}=0.5")
    lines = comparison.csv().splitlines()
    assert len(lines) == 1 + 2 * LAYERS * HEADS and lines[0].split(",")[5:] == [*NAMES, "n"]
    values = lines[1 + LAYERS * HEADS].split(",")
    assert values[1:5] == ["0.5", "language", "0", "0"]
    assert float(values[5]) == pytest.approx(float(comparison.change("js_row", 1)[0, 0]), rel=1e-4)
    assert values[-1] == "1"  # input, on which all of it rests


# Whose words


def test_all_read_the_words_of_one_or_each_its_own(compared, tiny_folder, tmp_path):
    folder = str(saved_adapter(tiny_folder, tmp_path / "adapter", size=1.5))
    ids = lambda run: [token["id"] for token in run.info["tokens"]]  # noqa: E731
    generated = {"mode": "generate", "max_new_tokens": 4}
    base, other, own = (compared(folder, words=words, **generated) for words in ("base", 1, "own"))
    assert ids(base.base) == ids(base.adapters[0]) and ids(other.base) == ids(other.adapters[0])
    assert (
        ids(base.base) == ids(own.base)
        and ids(other.base) == ids(own.adapters[0])
        and ids(own.base) != ids(own.adapters[0])
    )
    assert [member["answer"] for member in base.info["members"]] == [member["answer"] for member in own.info["members"]]
    assert [base.base.info["forced"], base.adapters[0].info["forced"]] == [False, True]
    assert [other.base.info["forced"], other.adapters[0].info["forced"]] == [True, False]
    assert ids(own.base)[: own.shared()] == ids(own.adapters[0])[: own.shared()]
    assert own.shared() < len(ids(own.base)) and own.shared() - 1 in own.queries()
    typed = compared(folder, answer="a red circle")
    assert typed.info["words"] == "typed" and typed.base.info["answer"] == "a red circle"


def test_a_prompt_alone_is_compared_too(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter")), mode="prefill")
    assert comparison.logprobs().shape == (2, 0) and len(comparison.answer_rows()) == 1
    assert (comparison.change("js_row", 0)[1:] > 0).any()


def test_n_adapters_are_n_and_one_passes_and_no_reload(compared, tiny_folder, tmp_path, monkeypatch):
    folders = [str(saved_adapter(tiny_folder, tmp_path / f"a{n}", n)) for n in range(3)]
    model = models.load(tiny_folder, device="cpu").model
    passes = []
    handle = model.register_forward_pre_hook(lambda *_: passes.append(1))
    monkeypatch.setattr(models, "free", lambda: pytest.fail("the base was loaded again"))
    comparison = compared(*folders)
    handle.remove()
    assert len(passes) == 4 and len(comparison.runs) == 4
    assert models.load(tiny_folder, device="cpu").model is model


# The folder


def test_the_folder_is_what_the_design_says(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter")))
    folder, info = comparison.folder, comparison.info
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_1",
        "base",
        "comparison.json",
        "comparison.safetensors",
    ]
    assert COMPARISON.validate_python(info) == info  # and nothing that is not in the schema
    assert info["format"] == 1 and [member["folder"] for member in info["members"]] == ["base", "adapter_1"]
    assert (
        comparison.base.info["adapter"] is None
        and comparison.adapters[0].info["adapter"] == info["members"][1]["adapter"]
    )
    with safe_open(folder / "comparison.safetensors", "np") as file:
        names = {f"{tower}.{name}" for tower in comparison.base.towers() for name in NAMES} | {"logprob"}
        assert set(file.keys()) == names
        for tower in comparison.base.towers():
            shape = [1, len(comparison.base.layers(tower)), comparison.base.heads(tower), len(info["queries"][tower])]
            assert file.get_slice(f"{tower}.js_row").get_shape() == shape


def test_what_is_not_there_is_said(compared, tiny_folder, tmp_path):
    comparison = compared(str(saved_adapter(tiny_folder, tmp_path / "adapter")), vision=False)
    wrong = {
        "no measure": lambda: comparison.change("distance", 0),
        "no adapter 4": lambda: comparison.change("js_row", 4),
        "There is no row 1000000": lambda: comparison.change("js_row", 0, 10**6),
        "no tower": lambda: comparison.change("js_row", 0, tower="vision"),
        "no 'adapter_9'": lambda: comparison.run("adapter_9"),
    }
    for words, ask in wrong.items():
        with pytest.raises(NotInRun, match=words):
            ask()
    with pytest.raises(DamagedRun, match="not a finished comparison"):
        open_comparison(tmp_path)
    index = comparison.folder / "comparison.json"
    index.write_text(json.dumps(comparison.info | {"format": 3}))
    with pytest.raises(DamagedRun, match="format 3"):
        open_comparison(comparison.folder)


def test_what_cannot_be_compared_is_refused_and_leaves_nothing(tiny_folder, picture, tmp_path):
    folder = str(saved_adapter(tiny_folder, tmp_path / "adapter"))
    choices = choose([folder], tiny_folder)
    request = Request(picture, PROMPT, tiny_folder, device="cpu")
    for adapters, words, error in (([], "base", InvalidRequest), (choices * 13, "base", LimitExceeded),
                                   (choices, 2, InvalidRequest), (choices, "mine", InvalidRequest)):  # fmt: skip
        with pytest.raises(error):
            compare(request, adapters, tmp_path / "out", words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_it_can_be_stopped_and_tells_how_far_it_is(tiny_folder, picture, tmp_path):
    choices = choose([str(saved_adapter(tiny_folder, tmp_path / "adapter"))], tiny_folder)
    request = Request(picture, PROMPT, tiny_folder, device="cpu", answer="red")
    phases = []

    class Watched(PartialRun):
        def report(self, phase, *args, **kwargs):
            super().report(phase, *args, **kwargs)
            phases.append(phase)
            assert read_progress(self.folder)["phase"] == phase
            if phase == "compare":
                self.cancel()

    partial = Watched.create(tmp_path / "out")
    with pytest.raises(Cancelled):
        fill_comparison(request, choices, partial)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]
    assert [phase for i, phase in enumerate(phases) if i == 0 or phase != phases[i - 1]] == [
        "queue", "model", "inputs", "capture", "write", "capture", "write", "compare",
    ]  # fmt: skip
    assert INFERENCE.acquire(blocking=False)
    INFERENCE.release()


def test_ranges_are_whole_and_bounded():
    assert list(ranges([1, 2, 3, 4, 9, 11, 12], 3)) == [(1, 4), (4, 5), (9, 10), (11, 13)]
    assert list(ranges([], 3)) == []

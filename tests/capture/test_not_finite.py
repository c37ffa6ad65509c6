"""A model that computes NaN or infinity is refused where that begins, and what holds such numbers is not read."""

import json
import shutil

import pytest
import tiny_families
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from attention import Request, extract, open_run
from attention.capture.plan import TowerPlan
from attention.capture.recorder import Capture
from attention.environment import POCKET
from attention.errors import DamagedRun, NotFinite
from attention.models import loading as models
from attention.models.kept import free
from attention.runs.partial import write_index

PICTURE, PROMPT = "assets/examples/shapes.png", "what color is the star?"
K_PROJ = "model.language_model.layers.{}.self_attn.k_proj.weight"


@pytest.fixture(autouse=True)
def _no_model_stays():
    yield
    free()


def pocket_with(tmp_path, name: str, value: float) -> str:
    """The bundled model with one number of one weight set."""
    folder = tmp_path / "model"
    shutil.copytree(POCKET, folder, ignore=shutil.ignore_patterns("adapters"))
    weights = load_file(folder / "model.safetensors")
    weights[name].view(-1)[0] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


@pytest.mark.sample(5)
@pytest.mark.parametrize("mode", ["prefill", "generate"])
@pytest.mark.parametrize(
    ("name", "value", "dtype", "words"),
    [
        (K_PROJ.format(3), float("nan"), "float32", "Layer 3 of the language tower .* float32.*k_proj.weight itself"),
        (K_PROJ.format(0), float("inf"), "bfloat16", r"Layer 0 of the language .* bfloat16.* Try dtype float32\."),
        (K_PROJ.format(1), 1e6, "float16", r"Layer 1 of the language .* float16 ends at 65,504: try dtype bfloat16"),
        ("model.visual.blocks.1.attn.qkv.weight", float("nan"), "float32", "Layer 1 of the vision tower"),
        # what the last layer makes of its rows no layer reads any more
        ("model.language_model.layers.4.mlp.down_proj.weight", float("nan"), "float32", "The model's output layer"),
    ],
)
def test_a_model_that_computes_nan_is_refused_by_its_first_layer(tmp_path, mode, name, value, dtype, words):
    folder = pocket_with(tmp_path, name, value)
    with pytest.raises(NotFinite, match=words):
        extract(Request(PICTURE, PROMPT, folder, mode=mode, dtype=dtype, device="cpu"), tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_nan_of_a_tower_that_is_not_kept_is_found_where_text_reads_it(tmp_path):
    folder = pocket_with(tmp_path, "model.visual.merger.linear_fc1.weight", float("nan"))
    with pytest.raises(NotFinite, match="Layer 0 of the language tower"):
        extract(Request(PICTURE, PROMPT, folder, vision=False, device="cpu"), tmp_path / "run")


@pytest.mark.parametrize("model_type", tiny_families.of_each_kind())
def test_in_every_family_nan_in_the_first_layer_is_found(model_type, tmp_path):
    picture = Image.effect_noise((64, 48), 90).convert("RGB")
    loaded = models.load(str(tiny_families.write(model_type, tmp_path / "model")), "cpu")
    attention = loaded.family.attention_modules(loaded.model)["language"]
    with torch.no_grad():
        first = attention[min(attention)]
        keys = getattr(first, "k_proj", getattr(first, "kv_b_proj", None))
        getattr(keys, "linear", keys).weight[0, 0] = float("nan")
    with pytest.raises(
        NotFinite, match=rf"Layer {min(attention)} of the language tower .*(k|kv_b)_proj(\.linear)?\.weight"
    ):
        extract(Request(picture, PROMPT), tmp_path / "run", loaded)


def taken(tmp_path, mask, odd_query=None, odd_key=None, **options):
    """One layer of 2 heads and 4 tokens through a capture, with NaN in a query or a key."""
    module, query, key = torch.nn.Module(), torch.randn(1, 2, 4, 8), torch.randn(1, 2, 4, 8)
    for tensor, place in ((query, odd_query), (key, odd_key)):
        if place is not None:
            tensor[0, 0, place, 0] = float("nan")
    plan = TowerPlan({0: ("layer", module)}, 4, has_blocks=True, rows=torch.arange(4))
    tmp_path.joinpath("run").mkdir()
    with Capture(tmp_path / "run", {"language": plan}) as capture:
        capture.take(module, query, key, key, mask, {"is_causal": False, **options})


def test_padding_that_nobody_reads_may_hold_anything(tmp_path):
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    mask[..., 3] = mask[..., 3, :] = False
    taken(tmp_path, mask, odd_query=3, odd_key=3)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(NotFinite, match="Layer 0 of the language tower"):
        taken(tmp_path, mask, odd_key=2)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(NotFinite):
        taken(tmp_path, None, odd_query=3)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_learned_sink_that_is_no_number_is_refused_and_none_at_all_is_not(tmp_path, odd):
    """Under a mask, where a row without a number would pass for one that sees no key."""
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    mask[..., 0, 3] = False
    with pytest.raises(NotFinite, match="Layer 0 of the language tower"):
        taken(tmp_path, mask, s_aux=torch.tensor([odd, 0.0]))
    shutil.rmtree(tmp_path / "run")
    taken(tmp_path, mask, s_aux=torch.tensor([float("-inf"), 0.0]))
    rows = load_file(tmp_path / "run/language/layer_00.safetensors")["attention"].float().sum(dim=-1)
    assert torch.allclose(rows[:, 0], torch.ones(4), atol=1e-3) and (rows[:, 1] < 0.999).all()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_an_index_with_a_number_that_is_none_is_neither_written_nor_read(tmp_path, tiny_run, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_index(tmp_path / "run.json", {"logprobs": [float(number.lower())]})
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"logprobs": "HERE"}).replace('"HERE"', f"[{number}]"))
    with pytest.raises(DamagedRun, match="is no number in JSON"):
        open_run(folder)

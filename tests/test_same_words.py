"""One input, three ways in: Python, the command line and a client are told the same, or are given the same run."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
import tiny_families
import torch
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from hostile_pictures import gif_of_frames, jpeg_of_scans
from made_adapters import changed_adapter, saved_adapter, write_adapter
from PIL import Image
from safetensors.torch import load_file, save_file
from served import nothing_is_left, served

from adapters.base_modules import base_of
from adapters.files import read_folder
from adapters.inspection import inspect_adapter
from attention import Request, extract
from attention.commands import main as command_line
from attention.errors import AttentionError

pytestmark = pytest.mark.slow

PROMPT = "what color is the star?"
QUERY = "model.language_model.layers.1.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(place):
    with served(place) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    client = Client(server[1], verbose=False)
    yield client
    client.close()


def chat(entry, prompt=PROMPT):
    return [{"role": "user", "content": [entry, {"type": "text", "text": prompt}]}]


def changed_model(place, tmp_path, change=None, config=None, without=()):
    """A copy of the server's model, whose weights are `change`d, with more of a config and without some files."""
    folder = shutil.copytree(place / "model", tmp_path / "model")
    if change:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    if config:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | config))
    for name in without:
        (folder / name).unlink()
    return str(folder)


def drop(weights):
    del weights[QUERY]


def wrap(weights):
    for name in list(weights):
        weights[f"module.{name}"] = weights.pop(name)


def break_(weights):
    weights[QUERY][0, 0] = torch.nan


def head(weights):
    weights["v_head.summary.weight"] = torch.ones(1, 48)


def picture(tmp_path, name="a.png", size=(200, 136), **options):
    Image.effect_noise(size, 90).convert("RGB").save(tmp_path / name, **options)
    return str(tmp_path / name)


def rotated(tmp_path, value):
    exif = Image.Exif()
    exif[274] = value
    return picture(tmp_path, "turned.jpg", exif=exif)


def of_floats(tmp_path):
    values = np.linspace(0, 1, 200, dtype=np.float32)[None].repeat(136, 0).copy()
    values[3, 4] = np.nan
    Image.fromarray(values).save(tmp_path / "f.tiff")
    return str(tmp_path / "f.tiff")


REFUSED = {
    "a weight is missing": (lambda p, t: {"model": changed_model(p, t, drop)}, QUERY),
    "every weight has a prefix": (lambda p, t: {"model": changed_model(p, t, wrap)}, r"module\."),
    "a weight is not finite": (lambda p, t: {"model": changed_model(p, t, break_)}, "float32"),
    "weights in 4 bits": (
        lambda p, t: {
            "model": changed_model(
                p, t, config={"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
            )
        },
        "bitsandbytes",
    ),
    "no tokenizer": (
        lambda p, t: {"model": changed_model(p, t, without=("tokenizer.json", "tokenizer_config.json"))},
        "tokenizer",
    ),
    "another family": (lambda p, t: {"model_type": "gemma3"}, "'gemma3' does not fit"),
    "crops where there are none": (lambda p, t: {"pan_and_scan": True}, "pan & scan"),
    "an address in a chat": (
        lambda p, t: {"images": [], "messages": chat({"type": "image", "url": "https://a.b/c.png"})},
        "https://a.b/c.png",
    ),
    "an unknown key": (lambda p, t: {"messages": chat({"type": "image", "crop": [1, 2]})}, "crop"),
    "a size of another package": (lambda p, t: {"messages": chat({"type": "image", "resized_height": 64})}, "resized_"),
    "a data: URL of no picture": (
        lambda p, t: {"images": [], "messages": chat({"type": "image", "url": "data:image/png;base64,aGVsbG8="})},
        "not a picture",
    ),
    "a text entry by another key": (
        lambda p, t: {"messages": [{"role": "user", "content": [{"type": "text", "content": PROMPT}]}]},
        "text entry",
    ),
    "a picture in an answer": (lambda p, t: {"answer": "see <|image_pad|> b"}, "part of a picture"),
    "a name of 5,000 signs": (lambda p, t: {"model": "a" * 5000}, "aaa"),
    "a broken picture": (lambda p, t: {"images": [_cut(t)]}, "damaged or cut off"),
    "a JPEG of 2,000 scans": (
        lambda p, t: {"images": [written(t, "scans.jpg", jpeg_of_scans(2000))]}, r"scans\.jpg has more than 100 scans"
    ),
    "a GIF of 10,001 frames": (
        lambda p, t: {"images": [written(t, "film.gif", gif_of_frames(10_001))]}, r"film\.gif has more than 10,000"
    ),
}  # fmt: skip
MADE = {  # and what of run.json is due
    "a head that attention does not depend on": (
        lambda p, t: {"model": changed_model(p, t, head)}, lambda info: "v_head" in " ".join(info["notes"]),
    ),
    "floats with a hole": (lambda p, t: {"images": [of_floats(t)]}, lambda info: "1 pixel without" in info["notes"][0]),
    "an orientation that is none": (lambda p, t: {"images": [rotated(t, 9)]}, lambda info: info["notes"] == []),
    "sizes of an entry": (
        lambda p, t: {"messages": chat({"type": "image", "max_pixels": 20_480})},
        lambda info: info["images"][0]["read_width"] * info["images"][0]["read_height"] <= 20_480,
    ),
    "a picture in a chat": (
        lambda p, t: {"images": [], "messages": chat({"type": "image", "base64": _base64(t)})},
        lambda info: info["images"][0]["width"] == 200,
    ),
    "a place of the second picture": (
        lambda p, t: _two(t) | {"answer": 'In image 2: {"bbox_2d": [500, 500, 600, 600], "label": "button"}'},
        lambda info: [box["image"] for box in info["boxes"]] == [1] and not info["unplaced"],
    ),
    "a place of no picture": (
        lambda p, t: _two(t) | {"answer": '{"bbox_2d": [500, 500, 600, 600], "label": "button"}'},
        lambda info: info["boxes"] == [] and len(info["unplaced"]) == 1,
    ),
    "a place in a thought": (
        lambda p, t: {"answer": '<think>"point_2d": [100, 300]</think>{"point_2d": [600, 500]}'},
        lambda info: len(info["points"]) == 1 and abs(info["points"][0]["x"] - 120) < 1,
    ),
    "endless digits": (
        lambda p, t: {"answer": f'{{"point_2d": [{"9" * 60}, 5]}}'},
        lambda info: info["points"] == [] and any("left out" in note for note in info["notes"]),
    ),
    "half a sign in a label": (
        lambda p, t: {"answer": '{"bbox_2d": [10, 10, 20, 20], "label": "cat \\\\ud83d"}'},
        lambda info: len(info["boxes"]) == 1,
    ),
    "a control token that was typed": (
        lambda p, t: {"prompt": "What does <|im_start|> mean?"},
        lambda info: "<|im_start|>" in info["notes"][0] and info["prompt"] == "What does <|im_start|> mean?",
    ),
    "two pictures without the vision tower": (
        lambda p, t: {"model": str(tiny_families.write("llava_next", t / "next")), **_two(t), "vision": False},
        lambda info: {grid["image"] for grid in info["grids"]} == {0, 1},
    ),
}  # fmt: skip


def written(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return str(tmp_path / name)


def _cut(tmp_path):
    path = picture(tmp_path)
    with open(path, "r+b") as file:
        file.truncate(4000)
    return path


def _base64(tmp_path):
    with open(picture(tmp_path), "rb") as file:
        return base64.b64encode(file.read()).decode()


def _two(tmp_path):
    return {"images": [picture(tmp_path, "a.png"), picture(tmp_path, "b.png", (120, 160))]}


def asked(place, tmp_path, build):
    given = {"images": [picture(tmp_path, "given.png")], "prompt": PROMPT, "model": str(place / "model")}
    fields = given | build(place, tmp_path)
    if "messages" in fields:
        del fields["prompt"]
    return fields


def in_python(fields, folder):
    with extract(Request(**fields), folder) as run:
        return run.info


def flags_of(fields, tmp_path):
    """The same request on the command line."""
    flags = []
    for name, value in fields.items():
        if name == "images":
            flags += [part for each in value for part in ("--image", each)]
        elif name == "messages":
            (tmp_path / "chat.json").write_text(json.dumps(value))
            flags += ["--messages", str(tmp_path / "chat.json")]
        elif isinstance(value, bool):
            flags.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
        else:
            flags += [f"--{name.replace('_', '-')}", value]
    return flags


def on_the_command_line(arguments, capsys):
    """Exit code, and what was said on stderr last."""
    try:
        code = command_line.main(arguments)
    except SystemExit as exit_:
        code = exit_.code
    return code, capsys.readouterr().err.strip().splitlines()[-1:]


def by_client(client, fields):
    sent = {**fields, "images": [handle_file(each) for each in fields["images"]] or None}
    return client.predict(**sent, api_name="/analyze")["run"]


def plain(words):
    """A sentence without the way in which the place it is shown in calls a field."""
    return re.sub(r"--([a-z-]+)", lambda flag: flag[1].replace("-", "_"), words).replace("=True", "")


@pytest.mark.sample(9)
@pytest.mark.parametrize("build, named", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(server, client, place, tmp_path, capsys, build, named):
    fields = asked(place, tmp_path, build)
    with pytest.raises(AttentionError, match=named) as error:
        in_python(fields, tmp_path / "python")
    words = str(error.value)
    code, said = on_the_command_line(
        ["extract", "--output-dir", str(tmp_path / "run"), *flags_of(fields, tmp_path)], capsys
    )
    assert code in (1, 2) and words in said[0], said
    with pytest.raises(AppError) as error:
        by_client(client, fields)
    assert words in str(error.value)
    assert nothing_is_left(server[0]) and not (tmp_path / "run").exists() and not (tmp_path / "python").exists()
    assert len(words) < 600 and "Internal" not in words


@pytest.mark.sample(6)
@pytest.mark.parametrize("build, is_due", MADE.values(), ids=MADE)
def test_what_is_read_is_read_alike(client, place, tmp_path, capsys, build, is_due):
    fields = asked(place, tmp_path, build)
    first = in_python(fields, tmp_path / "python")
    assert is_due(first), first
    code, _ = on_the_command_line(
        ["extract", "--output-dir", str(tmp_path / "run"), *flags_of(fields, tmp_path)], capsys
    )
    second = json.loads((tmp_path / "run" / "run.json").read_text())
    third = by_client(client, fields)
    assert code == 0
    for part in first.keys() - {"id", "created", "timings_ms", "peak_memory_bytes", "notes", "bytes"}:
        assert first[part] == second[part] == third[part], part
    assert [len(info["notes"]) for info in (first, second, third)] == [len(first["notes"])] * 3


# Adapters


def _pickle_beside(place, tmp_path):
    folder = saved_adapter(place / "model", tmp_path / "adapter")
    torch.save({"model.visual.merger.norm.weight": torch.ones(32)}, folder / "non_lora_state_dict.bin")
    return folder


def _other_method(place, tmp_path):
    return write_adapter(tmp_path / "adapter", {"peft_type": "VERA", "r": 4}, {"a": torch.ones(2)})


def _compiled(place, tmp_path):
    folder = saved_adapter(place / "model", tmp_path / "plain")
    return changed_adapter(
        folder, tmp_path / "adapter", rename=lambda key: key.replace("model.model", "model._orig_mod.model")
    )


def _checkpoint_alone(place, tmp_path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    torch.save({"state": {}}, folder / "optimizer.pt")
    return folder


ADAPTERS = {
    "another half in a pickle": (_pickle_beside, "non_lora_state_dict.bin"),
    "another method": (_other_method, "VERA|VeRA"),
    "wrapped names": (_compiled, "renam"),
    "no adapter among a trainer's files": (_checkpoint_alone, "optimizer"),
}


@pytest.mark.parametrize("build, named", ADAPTERS.values(), ids=ADAPTERS)
def test_an_adapter_is_refused_in_the_same_words(server, client, place, tmp_path, capsys, build, named):
    adapter = str(build(place, tmp_path))
    model = str(place / "model")
    with pytest.raises(AttentionError, match=named) as error:
        inspect_adapter(read_folder(adapter), base_of(model))
    words = plain(str(error.value))
    fields = {"images": [picture(tmp_path)], "prompt": PROMPT, "model": model}
    for command in (
        ["extract", "--adapter", adapter, "--output-dir", str(tmp_path / "run"), *flags_of(fields, tmp_path)],
        ["compare", "--adapter", adapter, "--output-dir", str(tmp_path / "run"), *flags_of(fields, tmp_path)],
        ["inspect", adapter, "--model", model],
    ):
        code, said = on_the_command_line(command, capsys)
        assert code in (1, 2) and _without_names(words) in _without_names(plain(said[0])), command[0]
    sent = {**fields, "images": handle_file(fields["images"][0])}
    for endpoint, more in (
        ("/analyze", {**sent, "adapter": adapter}),
        ("/compare", {**sent, "adapters": [adapter]}),
        ("/inspect", {"adapter": adapter, "model": model}),
    ):
        with pytest.raises(AppError) as error:
            client.predict(**more, api_name=endpoint)
        assert _without_names(words) in _without_names(plain(str(error.value))), endpoint
    assert nothing_is_left(server[0]) and not (tmp_path / "run").exists()


def _without_names(words):
    """Words without the confirmation, whose name is another in every place."""
    return re.sub(r"\((?:adapter_)?(?:rename|alone)[^)]*\)", "", words)

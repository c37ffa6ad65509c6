"""Mutations of a good input: twenty kinds, in turn, so that a sample of twenty has each of them once.

A mutation is known by its seed and its number. Each function changes the files of a `Given` by a seeded `random.Random`
and says what it did, and words of which a refusal must have one.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from .good_inputs import Given, WeightFile, change_json, noise, read_json, write_chat, write_json


@dataclass
class Told:
    """One change, in words; `names` of the thing; `as_good`: it means what the input meant before."""

    words: str
    names: tuple[str, ...] = ()
    as_good: bool = False


Kind = Callable[[Given, random.Random], Told]


# Weights of the model, or of the adapter


def _a_weight_file(folder: Path, rng) -> WeightFile:
    return WeightFile(rng.choice(sorted(folder.glob("*.safetensors"))))


def _tail(key: str) -> tuple[str, ...]:
    """Words of a key that a message may name it by: its names are renamed on the way from file to model."""
    parts = key.replace(".default", "").split(".")
    return (key, ".".join(parts[-2:]), ".".join(parts[-3:-1]), key.partition(".lora_")[0])


def _key_dropped(folder: Path, rng) -> Told:
    weights = _a_weight_file(folder, rng)
    key = rng.choice(sorted(weights.tensors))
    del weights.tensors[key]
    weights.write()
    index = folder / "model.safetensors.index.json"
    if index.is_file() and rng.random() < 0.5:
        change_json(index, lambda content: content["weight_map"].pop(key))
    return Told(f"{key} dropped", _tail(key))


def _key_renamed(folder: Path, rng) -> Told:
    weights = _a_weight_file(folder, rng)
    key = rng.choice(sorted(weights.tensors))
    prefixes = ("module.", "base_model.model.", "_orig_mod.", "_fsdp_wrapped_module.", "x.")
    manner = rng.choice(["every", "one", "typo", "capital", "swapped"])
    if manner == "every":
        prefix = rng.choice(prefixes)
        for file in sorted(folder.glob("*.safetensors")):
            others = WeightFile(file)
            others.tensors = {f"{prefix}{name}": value for name, value in others.tensors.items()}
            others.write()
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            change_json(
                index, lambda it: it.update(weight_map={f"{prefix}{k}": v for k, v in it["weight_map"].items()})
            )
        return Told(
            f"every key of the folder begins with {prefix}", (prefix, f"{prefix.partition('.')[0]}.", *_tail(key))
        )
    if manner == "swapped":
        alike = [name for name, value in weights.tensors.items() if value.shape == weights.tensors[key].shape]
        other = rng.choice(sorted(alike))
        weights.tensors[key], weights.tensors[other] = weights.tensors[other], weights.tensors[key]
        weights.write()
        return Told(f"{key} and {other} swapped", _tail(key))
    prefix = rng.choice(prefixes)
    new = {"one": f"{prefix}{key}", "typo": key[:-3] + "x" + key[-3:], "capital": key.replace("e", "E", 1)}[manner]
    weights.tensors[new] = weights.tensors.pop(key)
    weights.write()
    return Told(f"{key} renamed {new}", (*_tail(key), *_tail(new), f"{new.partition('.layers.')[0]}.layers is now"))


def _tensor_cut(folder: Path, rng) -> Told:
    weights = _a_weight_file(folder, rng)
    key = rng.choice(sorted(key for key, value in weights.tensors.items() if value.dim()))
    value = weights.tensors[key]
    manner = rng.choice(["cut", "longer", "transposed", "flat", "empty"])
    if manner == "cut":
        value = value[:-1].clone()
    elif manner == "longer":
        value = torch.cat([value, value[-1:]])
    elif manner == "transposed":
        value = value.transpose(0, -1).clone()
    elif manner == "flat":
        value = value.reshape(-1).clone()
    else:
        value = value[:0].clone()
    weights.tensors[key] = value
    weights.write()
    return Told(f"{key} {manner}", _tail(key))


def _tensor_retyped(folder: Path, rng) -> Told:
    weights = _a_weight_file(folder, rng)
    key = rng.choice(sorted(weights.tensors))
    dtype = rng.choice([torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int64, torch.float8_e4m3fn])
    is_every = rng.random() < 0.3
    for name in list(weights.tensors) if is_every else [key]:
        weights.tensors[name] = weights.tensors[name].to(dtype)
    weights.write()
    return Told(
        f"{'every tensor' if is_every else key} as {dtype}",
        (*_tail(key), str(dtype).removeprefix("torch."), "weights stored as"),
    )


def _values_changed(folder: Path, rng) -> Told:
    weights = _a_weight_file(folder, rng)
    key = rng.choice(sorted(key for key, value in weights.tensors.items() if value.numel()))
    value = weights.tensors[key].clone()
    manner = rng.choice(["scaled", "negated", "zero", "NaN", "infinite", "noise", "one number"])
    place = rng.randrange(value.numel())
    if manner == "scaled":
        value *= 1.25
    elif manner == "negated":
        value = -value
    elif manner == "zero":
        value.zero_()
    elif manner == "noise":
        value += value.std(correction=0) * torch.randn(value.shape, generator=torch.Generator().manual_seed(place))
    else:
        value.view(-1)[place] = {"NaN": float("nan"), "infinite": float("inf"), "one number": 3.0}[manner]
    weights.tensors[key] = value
    weights.write()
    return Told(f"{key}: {manner}", (*_tail(key), "NaN", "finite", "infinity"))


def _file_broken(file: Path, rng, others: list[Path] = ()) -> Told:
    manner = rng.choice(["removed", "cut", "emptied", "text", *(["swapped"] if others else [])])
    content = file.read_bytes()
    if manner == "removed":
        file.unlink()
    elif manner == "cut":
        file.write_bytes(content[: rng.randrange(1, len(content))])
    elif manner == "emptied":
        file.write_bytes(b"")
    elif manner == "text":
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    else:
        file.write_bytes(rng.choice(others).read_bytes())
    return Told(f"{file.name} {manner}", (file.name, file.stem, file.stem.replace("_", " ")))


# Configurations


def _leaves(content: dict, path=()) -> list[tuple]:
    found = []
    for key, value in content.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, key))
        else:
            found.append((*path, key))
    return found


def _at(content: dict, path: tuple) -> dict:
    for key in path[:-1]:
        content = content[key]
    return content


def _field_dropped_or_retyped(file: Path, rng, among=None) -> Told:
    content = read_json(file)
    path = rng.choice([leaf for leaf in _leaves(content) if not among or leaf[0] in among or leaf[-1] in among])
    place, key = _at(content, path), path[-1]
    manner = rng.choice(["dropped", "null", "as a text", "as a list", "as an object"])
    if manner == "dropped":
        del place[key]
    else:
        value = place[key]
        place[key] = {"null": None, "as a text": str(value), "as a list": [value], "as an object": {"a": value}}[manner]
    write_json(file, content)
    return Told(f"{file.name}: {'.'.join(path)} {manner}", (key, key.replace("_", " "), file.name))


def _field_changed(file: Path, rng, among=None) -> Told:
    content = read_json(file)
    leaves = [
        leaf
        for leaf in _leaves(content)
        if _at(content, leaf)[leaf[-1]] is not None and (not among or leaf[0] in among or leaf[-1] in among)
    ]
    path = rng.choice(leaves)
    place, key = _at(content, path), path[-1]
    value = place[key]
    if isinstance(value, bool):
        new = not value
    elif isinstance(value, int):
        new = rng.choice([value + 1, value - 1, value * 2, 0, -1])
    elif isinstance(value, float):
        new = rng.choice([value * 1.5, -value, 0.0, float("nan")])
    elif isinstance(value, str):
        new = rng.choice([value + "x", ""])
    elif isinstance(value, list):
        new = rng.choice([value[:-1], value + value[-1:], []])
    else:
        new = {"a": 1}
    place[key] = new
    write_json(file, content)
    return Told(
        f"{file.name}: {'.'.join(path)} is {new!r}, was {value!r}"[:160],
        (key, key.replace("_", " "), key.removeprefix("use_"), file.name, *([str(new)] if new else [])),
    )


CONFIG_FIELDS = (
    "num_attention_heads", "num_key_value_heads", "num_hidden_layers", "hidden_size", "head_dim", "rope_theta",
    "rope_scaling", "rope_parameters", "tie_word_embeddings", "image_token_id", "image_token_index", "vocab_size",
    "patch_size", "depth", "rms_norm_eps", "sliding_window", "layer_types", "model_type", "architectures", "hidden_act",
    "spatial_merge_size", "image_size", "vision_feature_layer", "eos_token_id", "num_heads", "deepstack_visual_indexes",
)  # fmt: skip
ADAPTER_FIELDS = (
    "r", "lora_alpha", "target_modules", "use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save",
    "bias", "lora_bias", "fan_in_fan_out", "layers_to_transform", "peft_type", "init_lora_weights", "exclude_modules",
)  # fmt: skip


def _some(fields, rng):
    """Half of the time those that matter most, else any."""
    return fields if rng.random() < 0.6 else None


def _config(change) -> Kind:
    def changed(given: Given, rng) -> Told:
        told = change(given.model / "config.json", rng, _some(CONFIG_FIELDS, rng))
        # what follows from it is a name as well: the weights that no longer fit, the layer that computes no numbers
        return Told(told.words, (*told.names, ".weight", ".bias", "Layer "))

    return changed


def processor_file(given: Given, rng) -> Told:
    """Of the tokenizer, the processor, the template or the generation: a value, a field, or the file."""
    names = ("preprocessor_config.json", "processor_config.json", "tokenizer_config.json", "tokenizer.json",
             "generation_config.json", "chat_template.json", "chat_template.jinja", "config.json")  # fmt: skip
    files = [given.model / name for name in names if (given.model / name).is_file()]
    file = rng.choice(files)
    if file.suffix == ".jinja" or file.name in ("tokenizer.json", "config.json") or rng.random() < 0.3:
        return _file_broken(file, rng)
    return rng.choice([_field_changed, _field_dropped_or_retyped])(file, rng)


def model_file(given: Given, rng) -> Told:
    files = sorted(given.model.glob("*.safetensors*"))
    file = rng.choice(files)
    if file.suffix == ".json" and rng.random() < 0.5:
        content = read_json(file)
        key = rng.choice(sorted(content["weight_map"]))
        content["weight_map"][key] = "model-00099-of-00099.safetensors"
        write_json(file, content)
        return Told(f"the index says that {key} is in a file that is not there", ("00099", file.name, *_tail(key)))
    others = [other for other in files if other != file and other.suffix == file.suffix]
    if given.adapter:
        others += sorted(given.adapter.glob("*.safetensors"))
    return _file_broken(file, rng, others)


def adapter_value(given: Given, rng) -> Told:
    file = given.adapter / "adapter_config.json"
    if rng.random() < 0.4:
        set_to = rng.choice([
            ("r", 2), ("r", 0), ("r", "4"), ("lora_alpha", 0), ("lora_alpha", -8), ("use_dora", True),
            ("use_rslora", True), ("bias", "all"), ("bias", "lora_only"), ("peft_type", "IA3"), ("peft_type", "LOHA"),
            ("init_lora_weights", "pissa"), ("init_lora_weights", False), ("layers_to_transform", [0]),
            ("modules_to_save", ["lm_head"]), ("target_modules", ["q_proj"]), ("target_modules", ".*"),
            ("exclude_modules", ["q_proj"]), ("rank_pattern", {"q_proj": 3}), ("alpha_pattern", {"q_proj": 32}),
            ("fan_in_fan_out", True), ("target_parameters", ["experts.gate_up_proj"]), ("lora_bias", True),
            ("trainable_token_indices", [1, 2]), ("layer_replication", [[0, 2], [1, 2]]), ("unknown_field", 3),
        ])  # fmt: skip
        change_json(file, lambda config: config.update([set_to]))
        return Told(f"adapter_config.json: {set_to[0]} set to {set_to[1]!r}", (set_to[0], str(set_to[1])))
    return _field_changed(file, rng, ADAPTER_FIELDS)


def adapter_field(given: Given, rng) -> Told:
    return _field_dropped_or_retyped(given.adapter / "adapter_config.json", rng, _some(ADAPTER_FIELDS, rng))


def adapter_file(given: Given, rng) -> Told:
    folder = given.adapter
    manner = rng.choice(["broken", "broken", "beside", "pickle", "head", "config"])
    if manner == "beside":
        base = _a_weight_file(given.model, rng).tensors
        key = rng.choice(sorted(base))
        other = WeightFile(
            folder / rng.choice(["vit.safetensors", "merger.safetensors", "non_lora_state_dict.safetensors"])
        )
        other.tensors = {key: base[key] + 0.1}
        other.write()
        return Told(f"{other.file.name} beside it, with {key}", (other.file.name, "beside it", *_tail(key)))
    if manner == "pickle":
        name = rng.choice(["non_lora_state_dict.bin", "non_lora_trainables.bin", "mm_projector.bin"])
        torch.save({"model.visual.merger.linear_fc1.weight": torch.ones(2, 2)}, folder / name)
        return Told(f"{name} beside it", (name,))
    if manner == "head":
        weights = _a_weight_file(folder, rng)
        weights.tensors["v_head.summary.weight"] = torch.ones(1, 8)
        weights.write()
        return Told("a value head in its file", ("v_head",))
    if manner == "config":
        return _file_broken(folder / "adapter_config.json", rng)
    told = _file_broken(folder / "adapter_model.safetensors", rng, sorted(given.model.glob("*.safetensors")))
    return Told(told.words, (*told.names, ".weight", ".bias"))  # those of a model, in its place


def adapter_key(given: Given, rng) -> Told:
    return rng.choice([_key_dropped, _key_renamed])(given.adapter, rng)


def adapter_shape(given: Given, rng) -> Told:
    return _tensor_cut(given.adapter, rng)


def adapter_numbers(given: Given, rng) -> Told:
    return rng.choice([_values_changed, _tensor_retyped])(given.adapter, rng)


# Chats


def _image_entries(chat: list) -> list[dict]:
    return [entry for message in chat for entry in message["content"] if entry["type"] == "image"]


def chat_entry(given: Given, rng) -> Told:
    chat = read_json(given.chat)
    entry = rng.choice(_image_entries(chat))
    name = entry["image"]
    absolute = (given.folder / name).resolve()
    data = f"data:image/png;base64,{base64.b64encode((given.folder / name).read_bytes()).decode()}"
    forms = {
        "path": {"path": name},
        "url": {"url": name},
        "absolute": {"path": str(absolute)},
        "file://": {"url": absolute.as_uri()},
        "data:": {rng.choice(["url", "image", "path"]): data},
        "broken data:": {"url": data[: len(data) // 2]},
        "base64": {"base64": data.partition(",")[2]},
        "http": {"url": "https://example.org/picture.png"},
        "image_url": {"type": "image_url", "image_url": {"url": absolute.as_uri()}},
        "unknown key": {"file": name},
        "unknown beside": {"image": name, "detail": "high"},
        "two sources": {"image": name, "url": "picture_9.png"},
        "none": {},
        "number": {"image": 3},
        "missing": {"image": "picture_77.png"},
        "folder": {"image": "."},
        "video": {"type": "video", "video": name},
        "typed otherwise": {"type": "img", "image": name},
        "no type": {"type": None, "image": name},
        "min_pixels": {"image": name, "min_pixels": 128 * 128},
        "max_pixels": {"image": name, "max_pixels": 64 * 64},
        "resized": {"image": name, "resized_height": 64, "resized_width": 64},
        "null beside": {"image": name, "url": None},
    }
    manner = rng.choice(list(forms))
    kept = {key: value for key, value in entry.items() if key == "type"}
    entry.clear()
    entry.update({**kept, **forms[manner]})
    write_json(given.chat, chat)
    return Told(
        f"an image entry by {manner}",
        (
            *(key for key in forms[manner] if key != "type"),
            "picture_77.png",
            str(forms[manner].get("type", "image")),
            "image entry",
            "directory",
            "https://",
            "base64",
        ),
    )


def chat_turn(given: Given, rng) -> Told:
    chat = read_json(given.chat)
    manner = rng.choice([
        "role", "emptied", "no question", "control token", "surrogate", "plain text", "extra key", "answer last",
        "an object", "no list", "text key", "number", "entry a text", "swapped", "order", "long", "null", "odd signs",
    ])  # fmt: skip
    message = chat[-1]
    question = next(part for part in message["content"] if part["type"] == "text")
    names: tuple[str, ...] = ("message", "Message")
    if manner == "role":
        which = rng.choice(chat)
        which["role"] = rng.choice(["human", "gpt", "tool", "System", "", None])
        names = ("role",)
    elif manner == "emptied":
        chat = []
        names = ("messages", "empty")
    elif manner == "no question":
        for each in chat:
            for part in each["content"]:
                if part["type"] == "text" and each["role"] == "user":
                    part["text"] = " "
        names = ("prompt", "empty")
    elif manner == "control token":
        token = _a_control_token(given.model, rng)
        question["text"] = f"What does {token} mean?"
        names = (token,)
    elif manner == "surrogate":
        question["text"] += rng.choice(["\ud83d", "\udc00 here"])
        names = ("surrogate", "character", "\\ud")
    elif manner == "plain text":
        chat = [each if each is not message else {"role": "user", "content": "What color is it?"} for each in chat]
    elif manner == "extra key":
        message[rng.choice(["name", "id", "weight", "tool_calls"])] = rng.choice(["a", 1, [], None])
    elif manner == "answer last":
        chat.append({"role": "assistant", "content": [{"type": "text", "text": "Red."}]})
        names = ("assistant",)
    elif manner == "an object":
        chat = {"messages": chat}
        names = ("messages",)
    elif manner == "no list":
        message["content"] = rng.choice([None, 3, {"type": "text", "text": "What?"}])
        names = ("content",)
    elif manner == "text key":
        question["content"] = question.pop("text")
        names = ("text", "content")
    elif manner == "number":
        question["text"] = 3
        names = ("text",)
    elif manner == "entry a text":
        message["content"].append("And why?")
        names = ("entry", "And why?")
    elif manner == "swapped":
        entries = _image_entries(chat)
        entries[0]["image"], entries[-1]["image"] = entries[-1]["image"], entries[0]["image"]
    elif manner == "order":
        message["content"].reverse()
    elif manner == "long":
        question["text"] = "What is it? " * 40
    elif manner == "null":
        question["text"] = None
        names = ("text",)
    else:
        question["text"] = "  Was für\u00a0ein é \u202e 🙂\u200d \t\n\nFoto\x00 ist <b>das</b>? {{ x }} "
        names = ("text", "character", "prompt")
    write_json(given.chat, chat)
    return Told(f"the chat: {manner}", names)


def _a_control_token(folder: Path, rng) -> str:
    added = read_json(folder / "tokenizer.json")["added_tokens"]
    return rng.choice([token["content"] for token in added if token["special"]])


# Pictures


def picture_file(given: Given, rng) -> Told:
    file = rng.choice(given.pictures)
    manner = rng.choice(["broken", "broken", "encoded", "renamed", "swapped", "cut late"])
    if manner == "encoded":
        form = rng.choice(["PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG", "PPM", "ICO"])
        with Image.open(file) as image:
            image.convert("RGB").save(file, form)
        return Told(f"{file.name} encoded as {form}", (file.name,))
    if manner == "renamed":
        file.rename(file.with_suffix(".data"))
        name = file.name
        return Told(f"{name} named .data", (name,))
    if manner == "swapped":
        noise(rng, 90, 110).save(file)
        return Told(f"{file.name} another picture")
    if manner == "cut late":
        content = file.read_bytes()
        file.write_bytes(content[: -rng.randrange(2, 20)])
        return Told(f"{file.name}: the last bytes cut", (file.name,))
    return _file_broken(file, rng)


def picture_pixels(given: Given, rng) -> Told:
    chat = read_json(given.chat)
    entry = rng.choice(_image_entries(chat))
    width, height = rng.randrange(60, 140), rng.randrange(60, 140)
    rgb = noise(rng, width, height)
    grey = np.asarray(rgb.convert("L"), np.float64) / 255
    file, options = given.folder / "picture_odd.png", {}
    manner = rng.choice([
        "16 bits", "12 bits in 16", "16 bits TIFF", "float 0..1", "float 0..255", "float wide", "float NaN",
        "float no data", "orientation", "transparent", "palette", "palette transparent", "CMYK", "grey", "one bit",
        "grey alpha", "32 bits", "one colour", "thin", "frames", "float one value",
    ])  # fmt: skip
    if "float" in manner:
        file = file.with_suffix(".tiff")
        values = grey * {"float 0..1": 1, "float 0..255": 255}.get(manner, 3000) - (manner == "float wide") * 500
        if manner == "float NaN":
            values[3:9, 4:20] = np.nan
        elif manner == "float no data":
            values[:5] = -9999
        elif manner == "float one value":
            values[:] = 0.25
        image = Image.fromarray(values.astype(np.float32))
    elif manner.startswith("1"):
        top = 4095 if manner.startswith("12") else 65535
        file = file.with_suffix(".tiff") if "TIFF" in manner else file
        image = Image.fromarray(np.rint(grey * top).astype(np.uint16))
    elif manner == "32 bits":
        file = file.with_suffix(".tiff")
        image = Image.fromarray(np.rint(grey * 60000).astype(np.int32))
    elif manner == "orientation":
        file = file.with_suffix(rng.choice([".jpg", ".webp", ".png"]))
        exif = Image.Exif()
        exif[274] = rng.randrange(10)
        image, options = rgb, {"exif": exif}
        manner += f" {exif[274]} in {file.suffix}"
    elif manner == "transparent":
        image = rgb.convert("RGBA")
        image.putalpha(Image.fromarray((grey * 255).astype(np.uint8)))
    elif manner == "palette":
        image = rgb.quantize(16)
    elif manner == "palette transparent":
        image, options = rgb.quantize(16), {"transparency": 3}
    elif manner == "CMYK":
        file = file.with_suffix(".jpg")
        image = rgb.convert("CMYK")
    elif manner == "one bit":
        image = rgb.convert("1")
    elif manner == "grey alpha":
        image = rgb.convert("LA")
        image.putalpha(90)
    elif manner == "one colour":
        image = Image.new("RGB", (width, height), (10, 200, 30))
    elif manner == "thin":
        image = rgb.resize((rng.choice([1, 2, 300]), rng.choice([1, 40])))
    elif manner == "frames":
        file = file.with_suffix(rng.choice([".gif", ".webp", ".tiff"]))
        image, options = rgb, {"save_all": True, "append_images": [noise(rng, width, height)]}
    else:
        image = rgb.convert("L")
    image.save(file, **options)
    entry["image"] = file.name
    write_json(given.chat, chat)
    return Told(f"a picture: {manner}", (file.name,))


# What must stay right


def nothing_that_matters(given: Given, rng) -> Told:
    """Changes after which the input means what it meant."""
    manner = rng.choice([
        "nothing", "unused file", "metadata", "key order", "byte order mark", "spaces", "one file", "shards",
        "model card", "training files", "picture as PNG", "null entry", "unknown config field",
    ])  # fmt: skip
    if manner == "unused file":
        (given.model / "notes.txt").write_text("trained on Monday")
        (given.model / "original").mkdir()
        (given.model / "original" / "params.json").write_text("{}")
    elif manner == "metadata":
        weights = _a_weight_file(given.model, rng)
        from safetensors.torch import save_file

        save_file(weights.tensors, weights.file, {"format": "pt", "trained_by": "somebody"})
    elif manner == "key order":
        file = rng.choice([given.model / "config.json", given.chat])
        content = read_json(file)
        write_json(file, dict(reversed(content.items())) if isinstance(content, dict) else content)
    elif manner == "byte order mark":
        given.chat.write_bytes(b"\xef\xbb\xbf" + given.chat.read_bytes())
    elif manner == "spaces":
        for file in (given.model / "config.json", given.chat):
            file.write_text("\n \t" + json.dumps(read_json(file), separators=(" ,\r\n", " : ")) + "\n\n")
    elif manner in ("one file", "shards"):
        tensors = {}
        for file in sorted(given.model.glob("*.safetensors")):
            tensors.update(WeightFile(file).tensors)
            file.unlink()
        index = given.model / "model.safetensors.index.json"
        index.unlink(missing_ok=True)
        names = ["model.safetensors"]
        if manner == "shards":
            names = [f"model-0000{k}-of-00003.safetensors" for k in (1, 2, 3)]
            places = {key: names[k % 3] for k, key in enumerate(tensors)}
            write_json(index, {"metadata": {"total_size": 1}, "weight_map": places})
        for k, name in enumerate(names):
            weights = WeightFile(given.model / name)
            weights.tensors = {key: value for n, (key, value) in enumerate(tensors.items()) if n % len(names) == k}
            weights.write()
    elif manner == "model card":
        (given.model / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    elif manner == "training files":
        for name in ("trainer_state.json", "all_results.json"):
            (given.model / name).write_text("{}")
    elif manner == "picture as PNG":
        file = given.pictures[0]
        with Image.open(file) as image:
            image.convert("RGB").save(given.folder / "picture_same.png")
        shutil.move(given.folder / "picture_same.png", file)  # whatever its name says
    elif manner == "null entry":
        chat = read_json(given.chat)
        _image_entries(chat)[0]["url"] = None
        write_json(given.chat, chat)
    elif manner == "unknown config field":
        change_json(given.model / "config.json", lambda config: config.update(trained_with="care"))
    return Told(f"{manner}", as_good=True)


def another_chat(given: Given, rng) -> Told:
    write_chat(given.folder, rng, has_system=True)
    return Told("another chat")


def _of_model(change) -> Kind:
    return lambda given, rng: change(given.model, rng)


# In fixed proportions: each kind once in twenty.
KINDS: dict[str, Kind] = {
    "model: key dropped": _of_model(_key_dropped),
    "model: key renamed": _of_model(_key_renamed),
    "model: shape": _of_model(_tensor_cut),
    "model: dtype": _of_model(_tensor_retyped),
    "model: values": _of_model(_values_changed),
    "model: file": model_file,
    "model: config value": _config(_field_changed),
    "model: config field": _config(_field_dropped_or_retyped),
    "model: processor": processor_file,
    "adapter: key": adapter_key,
    "adapter: shape": adapter_shape,
    "adapter: numbers": adapter_numbers,
    "adapter: config value": adapter_value,
    "adapter: config field": adapter_field,
    "adapter: file": adapter_file,
    "chat: entry": chat_entry,
    "chat: turn": chat_turn,
    "picture: file": picture_file,
    "picture: pixels": picture_pixels,
    "means the same": nothing_that_matters,
}

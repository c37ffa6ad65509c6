"""The oracle: token ids, pixels, rows of eager attention and the answer by plain transformers, PEFT and Pillow.

Shares no code with this project. Says `Unfit` where they fail, where a weight stays random, or where numbers are none:
then a refusal is due. The model is loaded twice, in float32 and in float64, each after another seed: weights that
differ were drawn at random, and how much rows differ says how far float32 can be trusted.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from peft import PeftModel, get_peft_model_state_dict
from PIL import Image, ImageOps
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
from transformers.processing_utils import ProcessorMixin

from .good_inputs import Given

NEW_TOKENS = 4
# A run keeps queries and keys in the model's own dtype, here float32, and computes rows from them in float32: nothing
# of float16 is in between. So it may be as far from float64 as eager float32 is on the same input, by 2e-7 or, where
# weights are sharp, by 1e-3. Another kernel rounds elsewhere: on average by as much (measured: 0.9 to 1.3 times), while
# the largest error is that of a few cells between two keys, and drawn anew (measured: up to 5 times).
LARGEST_ALLOWED, LEAST_LARGEST = 12, 2e-6  # times eager's own error, and what a softmax of scores of some tens rounds
MEAN_ALLOWED, LEAST_MEAN = 3, 2e-8
MARK = "\uf8ff"  # of the private use area
ROLES = ("system", "user", "assistant")
SIZE_FIELDS = ("min_pixels", "max_pixels", "resized_height", "resized_width")
SOURCES = ("image", "path", "url", "base64")
HEADS = ("v_head.", "score.", "classifier.", "value_head.")  # of a reward model: beside the language model


class Unfit(Exception):
    """The input has no right run: a refusal is due."""


@dataclass
class Outcome:
    """`rows` of each tower, layer by layer: float64 [heads, queries, keys].

    `allowed`: how far float32 may be off in each of them, at most and on average.
    """

    ids: list[int]
    n_prompt: int
    rows: dict[str, list[np.ndarray]]
    allowed: dict[str, list[tuple[float, float]]]
    pixels: dict[str, np.ndarray]
    is_sure: bool  # False: two readings are defensible, so a refusal is as good


def outcome(given: Given, seed: int = 0) -> Outcome:
    """Raises Unfit, with the reason, where a refusal is due."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return _outcome(given, seed)
    except Unfit:
        raise
    except Exception as error:  # whatever they fail with, they fail
        raise Unfit(f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}") from error


def _outcome(given: Given, seed: int) -> Outcome:
    chat, pictures, sizes, is_sure = read_chat(given.chat)
    model = _loaded(given, seed, torch.float32)
    inputs, tokenizer = _inputs(given.model, chat, pictures, sizes, model)
    n_prompt = inputs["input_ids"].shape[1]
    if given.answer is None:
        options = {"max_new_tokens": NEW_TOKENS, "do_sample": False}
        ids = model.generate(**inputs, **options, temperature=None, top_p=None, top_k=None)[0, n_prompt:].tolist()
    else:
        ids = tokenizer(given.answer, add_special_tokens=False)["input_ids"]
    added = torch.tensor([ids], dtype=torch.long)
    whole = dict(inputs)
    whole["input_ids"] = torch.cat([inputs["input_ids"], added], dim=1)
    for name, value in {"attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0}.items():
        if name in whole:
            more = torch.full_like(added, value, dtype=whole[name].dtype)
            whole[name] = torch.cat([whole[name], more], dim=1)
    if "cross_attention_mask" in whole:
        last = whole["cross_attention_mask"][:, -1:]
        whole["cross_attention_mask"] = torch.cat([whole["cross_attention_mask"], *[last] * len(ids)], dim=1)
    rows, logits = _rows(model, whole)
    if not torch.isfinite(logits).all():
        raise Unfit("the logits are NaN or infinite")
    exact = _loaded(given, seed + 1, torch.float64)
    _check_same_weights(model, exact)
    single, rows = rows, _rows(exact, _in_float64(whole))[0]
    allowed = {tower: _allowed(single[tower], rows[tower]) for tower in rows}
    pixels = {
        name: inputs[name].float().numpy()
        for name in inputs
        if "pixel" in name and inputs[name].dtype.is_floating_point
    }
    return Outcome(whole["input_ids"][0].tolist(), n_prompt, rows, allowed, pixels, is_sure)


# The model and its adapter


def _loaded(given: Given, seed: int, dtype: torch.dtype) -> torch.nn.Module:
    model = _model(given.model, seed, dtype)
    return _adapted(model, given.adapter) if given.adapter else model


def _model(folder: Path, seed: int, dtype: torch.dtype) -> torch.nn.Module:
    torch.manual_seed(seed)
    model, info = AutoModelForImageTextToText.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation="eager",
        experts_implementation="eager",
        use_safetensors=True,
        output_loading_info=True,
        local_files_only=True,
    )
    for what in ("missing_keys", "mismatched_keys", "error_msgs"):
        if info.get(what):
            raise Unfit(f"{what}: {str(sorted(map(str, info[what])))[:150]}")
    left_out = [key for key in info["unexpected_keys"] if _is_of_further_layer(key, model)]
    if left_out:
        raise Unfit(f"whole layers are left out: {min(left_out)} for one")
    if any(not parameter.dtype.is_floating_point for parameter in model.parameters()):
        raise Unfit("a weight is no floating-point number")
    return model.eval()


def _is_of_further_layer(key: str, model: torch.nn.Module) -> bool:
    """Of a layer that the model does not have, although it has others like it."""
    names = [name for name, _ in model.named_parameters()]
    found = re.match(r"(.*?(?:layers?|blocks)\.)(\d+\.)", key)
    layer, others = (found[0], found[1]) if found else ("", " ")
    return any(map(str.startswith, names, [others] * len(names))) and not any(name.startswith(layer) for name in names)


def _adapted(model: torch.nn.Module, folder: Path) -> torch.nn.Module:
    weights = dict(model.named_parameters())
    for file in folder.glob("*.safetensors"):  # trained weights that lie beside it replace the base's
        if file.name != "adapter_model.safetensors":
            for key, value in load_file(file).items():
                if key not in weights:
                    raise Unfit(f"{file.name} has {key}, which the base does not have")
                weights[key].copy_(value)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, folder, local_files_only=True).eval()
    for warning in map(str, (each.message for each in said)):
        if "missing adapter keys" in warning:
            raise Unfit(warning[:200])
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        saved = set(file.keys())
    known = set(get_peft_model_state_dict(adapted))
    ignored = {key for key in saved - known if not any(head in key for head in HEADS)}
    if ignored:
        raise Unfit(f"PEFT reads {len(ignored)} keys of the file into nothing, {min(ignored)} for one")
    return adapted


# Rows of eager attention


def _rows(model: torch.nn.Module, inputs: dict) -> tuple[dict[str, list[np.ndarray]], torch.Tensor]:
    """The rows of every attention layer by tower, and the logits. Raises Unfit where they are no numbers."""
    with _eager_calls(model) as calls:
        logits = model(**inputs, use_cache=False).logits
    rows: dict[str, list[np.ndarray]] = {}
    for name, blocks in calls.items():
        if not all(np.isfinite(block).all() for block in blocks):
            raise Unfit(f"{name} has rows of NaN")
        tower = "cross" if "cross_attn" in name else "vision" if "vis" in name else "language"
        rows.setdefault(tower, []).append(_along_the_diagonal(blocks))
    return rows, logits


@contextmanager
def _eager_calls(model: torch.nn.Module) -> Iterator[dict[str, list[np.ndarray]]]:
    """Rows of eager attention computed in a `with`: [heads, queries, keys] of each sequence, by module, as called."""
    calls: dict[str, list[np.ndarray]] = {}
    names = {id(module): name for name, module in model.named_modules()}
    sources = {sys.modules[type(module).__module__] for module in model.modules()}

    def recording(eager):
        def attend(module, *args, **kwargs):
            output, weights = eager(module, *args, **kwargs)
            calls.setdefault(names[id(module)], []).extend(weights.double().numpy())
            return output, weights

        return attend

    with ExitStack() as stack:
        for source in sources:
            if hasattr(source, "eager_attention_forward"):
                stack.callback(setattr, source, "eager_attention_forward", source.eager_attention_forward)
                source.eager_attention_forward = recording(source.eager_attention_forward)
        yield calls


def _along_the_diagonal(blocks: list[np.ndarray]) -> np.ndarray:
    """One layer of sequences (tiles, windows, pictures) that do not read each other."""
    queries, keys = (sum(block.shape[side] for block in blocks) for side in (1, 2))
    rows = np.zeros((len(blocks[0]), queries, keys))
    row = col = 0
    for block in blocks:
        rows[:, row : row + block.shape[1], col : col + block.shape[2]] = block
        row, col = row + block.shape[1], col + block.shape[2]
    return rows


def _in_float64(inputs: dict) -> dict:
    return {name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}


def _check_same_weights(model: torch.nn.Module, exact: torch.nn.Module) -> None:
    """Raise Unfit where two loads after different seeds have different weights: these are in no file."""
    for (name, weight), other in zip(model.named_parameters(), exact.parameters(), strict=True):
        if not np.array_equal(weight.float().numpy(), other.float().numpy(), equal_nan=True):
            raise Unfit(f"{name} is drawn at random")


def _allowed(single: list[np.ndarray], exact: list[np.ndarray]) -> list[tuple[float, float]]:
    """Bounds of how far rounding takes a tower's rows from float64, layer by layer: at most, and on average."""
    errors = [np.abs(one - two) for one, two in zip(single, exact, strict=True)]
    largest, mean = (
        np.maximum.accumulate([measure(error) for error in errors]) for measure in (np.max, np.mean)
    )  # a later layer inherits the errors of those before it
    return list(zip(LEAST_LARGEST + LARGEST_ALLOWED * largest, LEAST_MEAN + MEAN_ALLOWED * mean, strict=True))


# The processor


def _processor(folder: Path) -> ProcessorMixin:
    """The folder's own processor, with Pillow's image processor and no video processor (which wants torchvision)."""
    image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = [
        json.loads((folder / name).read_text(encoding="utf-8")).get("processor_class")
        for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
        if (folder / name).is_file()
    ]
    names = [name for name in names if isinstance(name, str)]
    model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    kind = getattr(transformers, next(filter(None, [*names, PROCESSOR_MAPPING_NAMES.get(model_type)])))
    if kind is transformers.SmolVLMProcessor:  # it wants a package for films; of pictures it makes what Idefics3's does
        kind = transformers.Idefics3Processor
    parts = {"image_processor": image_processor, "tokenizer": tokenizer}

    class WithoutVideo(kind):
        def check_argument_for_proper_class(self, argument_name, argument):
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

        @classmethod
        def get_attributes(cls):
            return kind.get_attributes()

        @classmethod
        def _get_arguments_from_pretrained(cls, *_, **__):
            return [parts.get(name) for name in kind.get_attributes()]

    WithoutVideo.__name__ = kind.__name__
    return WithoutVideo.from_pretrained(folder)


def _inputs(folder, chat, pictures, sizes, model) -> tuple[dict[str, torch.Tensor], object]:
    processor = _processor(folder)
    tokenizer = processor.tokenizer
    reserved = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    texts = [part["text"] for message in chat for part in message["content"] if part["type"] == "text"]
    typed = [token for token in reserved if any(token in text for text in texts)]
    if typed:
        return _with_typed(typed, reserved, folder, chat, pictures, sizes, model)
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    starts = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    options = {"text_kwargs": {"add_special_tokens": False}} if starts else {}
    if any(sizes):
        if not hasattr(processor.image_processor, "merge_size") or any("resized_height" in size for size in sizes):
            raise Unfit("this processor has no such size fields")
        if any(size != sizes[0] for size in sizes):
            return _each_by_its_size(processor, text, pictures, sizes), tokenizer
        options["images_kwargs"] = sizes[0]
    batch = processor(text=[text], images=[pictures] if pictures else None, return_tensors="pt", **options)
    return dict(batch), tokenizer


def _with_typed(typed, reserved, folder, chat, pictures, sizes, model) -> tuple[dict[str, torch.Tensor], object]:
    """Inputs with control tokens that somebody typed, read as text: the tokenizer splits them where it is told to.

    A sign of no text stands for each until all else is read; then the words around it are read again.
    """
    if len(typed) > 1:
        raise Unfit("several control tokens were typed")
    (token,) = typed
    if MARK in json.dumps(chat, ensure_ascii=False):
        raise Unfit("the chat has the sign that is to stand for a token")
    marked = json.loads(json.dumps(chat, ensure_ascii=False).replace(json.dumps(token, ensure_ascii=False)[1:-1], MARK))
    batch, tokenizer = _inputs(folder, marked, pictures, sizes, model)
    text = _processor(folder).apply_chat_template(marked, add_generation_prompt=True, tokenize=False)
    pieces = [piece for piece in re.split("|".join(map(re.escape, reserved)), text) if MARK in piece]
    fills = {"input_ids": None, "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0}  # of words
    rows = {name: batch[name][0].tolist() for name in fills if name in batch}
    for piece in pieces:
        then = tokenizer(piece, add_special_tokens=False)["input_ids"]
        now = tokenizer(piece.replace(MARK, token), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        ids = rows["input_ids"]
        at = next((at for at in range(len(ids)) if ids[at : at + len(then)] == then), None)
        if at is None:
            raise Unfit("words around a typed control token that are read otherwise by themselves")
        for name, row in rows.items():
            row[at : at + len(then)] = now if name == "input_ids" else [fills[name]] * len(now)
        if "cross_attention_mask" in batch:  # [1, tokens, images, tiles]; words all see the pictures before them
            seen = batch["cross_attention_mask"]
            parts = (seen[:, :at], seen[:, at : at + 1].expand(-1, len(now), -1, -1), seen[:, at + len(then) :])
            batch["cross_attention_mask"] = torch.cat(parts, dim=1)
    return {**batch, **{name: torch.tensor([row]) for name, row in rows.items()}}, tokenizer


def _each_by_its_size(processor, text: str, pictures, sizes) -> dict[str, torch.Tensor]:
    """As the processor of Qwen's families does with one size for all: it takes no more in a call."""
    read = [
        processor.image_processor(picture, return_tensors="pt", **size)
        for picture, size in zip(pictures, sizes, strict=True)
    ]
    grids = torch.cat([each["image_grid_thw"] for each in read])
    before, *rest = text.split(processor.image_token)
    for grid, after in zip(grids, rest, strict=True):
        before += processor.image_token * int(grid.prod() // processor.image_processor.merge_size**2) + after
    batch = dict(processor.tokenizer([before], return_tensors="pt"))
    batch["mm_token_type_ids"] = (batch["input_ids"] == processor.image_token_id).long()
    return {**batch, "pixel_values": torch.cat([each["pixel_values"] for each in read]), "image_grid_thw": grids}


# The chat and its pictures


def read_chat(file: Path) -> tuple[list[dict], list[Image.Image], list[dict], bool]:
    """A chat in role/content form, its pictures, what entries say of their size, and whether one reading is right."""
    chat = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    if not isinstance(chat, list) or not chat:
        raise Unfit("no chat")
    pictures, sizes, result, is_sure = [], [], [], True
    for message in chat:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Unfit("a message without a known role")
        if set(message) - {"role", "content"}:
            is_sure = False
        content, parts = message.get("content"), []
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list):
            raise Unfit("a content that is neither text nor list")
        for entry in content:
            kind = entry.get("type") if isinstance(entry, dict) else None
            if kind == "text" and isinstance(entry.get("text"), str):
                text = re.sub("[\ud800-\udfff]", "�", entry["text"])
                is_sure = is_sure and text == entry["text"] and set(entry) == {"type", "text"}
                parts.append({"type": "text", "text": text})
            elif kind in ("image", "image_url"):
                picture, size, is_plain = _picture_of(entry, file.parent)
                is_sure = is_sure and is_plain
                pictures.append(picture)
                sizes.append(size)
                parts.append({"type": "image"})
            else:
                raise Unfit(f"an entry of type {kind!r}")
        result.append({"role": message["role"], "content": parts})
    if result[-1]["role"] != "user":
        raise Unfit("the last message is not a user's")
    asked = [part for message in result if message["role"] == "user" for part in message["content"]]
    if not any(part["type"] == "text" and part["text"].strip() for part in asked):
        raise Unfit("nothing is asked")
    return result, pictures, sizes, is_sure


def _no_number(name: str):
    raise Unfit(f"{name} in JSON")


def _picture_of(entry: dict, folder: Path) -> tuple[Image.Image, dict, bool]:
    """The picture, the size fields, and whether the entry is one of the plain forms that must be read."""
    named = {key: entry[key] for key in SOURCES if entry.get(key) is not None}
    is_plain = entry["type"] == "image" and "base64" not in named
    if entry["type"] == "image_url":
        named = {
            "image_url": (entry.get("image_url") or {}).get("url")
            if isinstance(entry.get("image_url"), dict)
            else entry.get("image_url")
        }
    if len(named) != 1:
        raise Unfit(f"{len(named)} sources")
    extra = set(entry) - {"type", "image_url", *SOURCES, *SIZE_FIELDS}
    if extra:
        raise Unfit(f"an entry with {sorted(extra)[0]}")
    (source,) = named.values()
    sizes = {key: entry[key] for key in SIZE_FIELDS if key in entry}
    if not isinstance(source, str):
        raise Unfit("a source that is no text")
    if source.startswith(("http:", "https:")):
        raise Unfit("the network")
    if source.startswith("data:"):
        return read_picture(io.BytesIO(base64.b64decode(source.partition(",")[2], validate=True))), sizes, is_plain
    if "base64" in named:
        return read_picture(io.BytesIO(base64.b64decode(source, validate=True))), sizes, is_plain
    if source.startswith("file://"):
        source = urllib.request.url2pathname(urllib.parse.urlsplit(source).path)
    return read_picture(folder / os.fspath(source)), sizes, is_plain


def read_picture(source) -> Image.Image:
    """Upright 8-bit RGB: transparency on white; numbers of more than 8 bits by the range that they have."""
    # not by its path: Pillow tears some TIFFs then that it should turn
    with Image.open(io.BytesIO(source.read_bytes()) if isinstance(source, Path) else source) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if image.mode == "F":
            upright = _scaled(np.asarray(upright, np.float64))
        elif image.mode.startswith("I"):
            values = np.asarray(upright, np.float64)
            bits = image.tag_v2.get(258, (None,))[0] if hasattr(image, "tag_v2") else None
            top = next((image.tag_v2[tag] for tag in (341, 281) if tag in getattr(image, "tag_v2", {})), None)
            top = top or (2**bits - 1 if bits and bits not in (16, 32) else None)
            top = top or (4095 if values.max() < 4096 else 65535)
            upright = Image.fromarray(np.rint(values / top * 255).clip(0, 255).astype(np.uint8))
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
        return upright.convert("RGB")


def _scaled(values: np.ndarray) -> Image.Image:
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise Unfit("a picture without a number")
    low, high = finite.min(), finite.max()
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return Image.fromarray(np.rint((values - low) / ((high - low) or 1) * 255).clip(0, 255).astype(np.uint8))

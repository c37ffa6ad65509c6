"""Tiny random models of every family, one file each, as folders of the layout that a Hub repository has.

Each module is named by its model type and has `write(folder)`: configuration, random float32 weights, tokenizer and
processor files. Weights are sharpened: flat rows would hide errors.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from attention import families

# One family for each kind of layer and mask: an encoder and a decoder; sliding windows, and pictures that see
# themselves both ways; patches that are padding; a token that is no patch; cross-attention; windows of patches; layers
# of linear attention; blocks of patches, one for each picture; pictures in one call, which a mask keeps apart; heads of
# two sizes, keys that layers share, and padding that is no key. A resampler has tests of its own: test_idefics2.
KINDS = (
    "florence2", "gemma3", "gemma4", "idefics3", "llava", "mistral3", "mllama", "qwen2_5_vl", "qwen3_5", "qwen3_vl",
)  # fmt: skip
# Models of which only some tokens have rows in a tower: nothing is computed anew of their runs.
IN_PARTS = ("florence2", "idefics2")
# Models that share their model type with another, and have another tower.
VARIANTS = ("granite_vision", "pixtral")
# Families with code of their own that is much like another's: every run proves their geometry, and not their captures.
LIKE_ANOTHER = ("deepseek_vl_hybrid", "ernie4_5_vl_moe", "granite_docling", "inkling_mm_model", "video_llava")


def write(model_type: str, folder: Path) -> Path:
    """A tiny random model of this type; its module must exist, so that no family goes untested."""
    folder.mkdir(parents=True, exist_ok=True)
    importlib.import_module(f"tiny_families.{model_type}").write(folder)
    return folder


def all_types() -> list[str]:
    return sorted([*families.names(), *VARIANTS])


def of_each_kind() -> list:
    """All types as parameters, of which a test run takes one of each kind: for what takes its time."""
    return [pytest.param(name, marks=[] if name in KINDS else pytest.mark.full) for name in all_types()]


def of_own_code() -> list:
    """All types as parameters; a run leaves out those that inherit every method from another, unless in KINDS."""
    return [pytest.param(name, marks=[] if _has_own_code(name) else pytest.mark.full) for name in all_types()]


def of_unlike_code() -> list:
    """As `of_own_code`; a run leaves out those too whose code is much like another's."""
    return [
        pytest.param(name, marks=[] if _has_own_code(name) and name not in LIKE_ANOTHER else pytest.mark.full)
        for name in all_types()
    ]


def _has_own_code(model_type: str) -> bool:
    if model_type in (*KINDS, *VARIANTS):
        return True
    return any(inspect.isfunction(each) for each in vars(type(families.find(model_type))).values())


def byte_tokenizer(
    special: list[str], chat_template: str | None = None, words: tuple[str, ...] = (), **named
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges: any text can be written. Ids: 256 bytes, `special`, `words` in order.

    `words` are added tokens that are text, as some models have them for marks in their answers.
    `named` are what the tokenizer's class takes by name (bos_token="<s>", eos_token=..., pad_token=...), and whatever
    attributes a processor looks for (image_token=...).
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={sign: index for index, sign in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in words])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **named)
    tokenizer.chat_template = chat_template
    return tokenizer


def sharpen(model: torch.nn.Module, seed_scale: float, query_scale: float, query_names: tuple[str, ...]) -> None:
    """Scale all matrices, and those whose names contain one of `query_names` (queries, keys) once more."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(seed_scale)
            if any(part in name for part in query_names):
                parameter.mul_(query_scale)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

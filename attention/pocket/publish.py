"""The files of the bundled model's folder: what a Hub repository of this family holds, and nothing else.

Owns names and contents of the files. Knows nothing about training. Weights are stored as float16 (half the bytes); load
with `dtype=torch.float32` to compute in float32.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen2Tokenizer, Qwen3VLForConditionalGeneration

from .model import MERGE, PATCH_PX, TEMPORAL
from .scenes import AREA

# Both limits the same: every picture is read at about 288 x 288 pixels, the size the model has learnt, in its own
# proportions (in steps of 32 pixels a side).
IMAGE_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessorFast",
    "processor_class": "Qwen3VLProcessor",
    "size": {"shortest_edge": AREA, "longest_edge": AREA},
    "patch_size": PATCH_PX,
    "merge_size": MERGE,
    "temporal_patch_size": TEMPORAL,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
VIDEO_PROCESSOR = {
    **IMAGE_PROCESSOR,
    "video_processor_type": "Qwen3VLVideoProcessor",
    "size": {"shortest_edge": 4096, "longest_edge": AREA * 8},
}
del VIDEO_PROCESSOR["image_processor_type"]


def write_folder(model: Qwen3VLForConditionalGeneration, tokenizer: Qwen2Tokenizer, folder: Path) -> None:
    """Write weights, configuration, tokenizer and processors. The card and the figures are written by others."""
    folder.mkdir(parents=True, exist_ok=True)
    half = copy.deepcopy(model).to(torch.float16)
    half.generation_config = GenerationConfig(
        bos_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        eos_token_id=[
            tokenizer.convert_tokens_to_ids("<|im_end|>"),
            tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        ],
        pad_token_id=tokenizer.pad_token_id,
        do_sample=False,
    )
    half.save_pretrained(folder)
    # save_pretrained keeps the weights from other users; these are for everyone.
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    for name, content in (
        ("preprocessor_config.json", IMAGE_PROCESSOR),
        ("video_preprocessor_config.json", VIDEO_PROCESSOR),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

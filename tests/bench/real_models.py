"""Qwen3-VL at its true sizes, with random weights made where they stand, and inputs of an exact length.

Knows the published configs, how many bytes and operations a forward pass takes, and how to make pictures with
text around them. Knows nothing of captures or of measuring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

VOCABULARY, HEAD_DIM, PATCH_VALUES, CELL_PATCHES = 151936, 128, 3 * 2 * 16 * 16, 4
IMAGE, VISION_START, VISION_END = 151655, 151652, 151653
BEFORE, QUESTION, ANSWER = 4, 30, 128  # text tokens: in front of the picture, after it (at least), and of the answer
MAX_CELLS = 4096  # of one picture, 2048 x 2048 px; a longer input has several
PERIOD = 1_000_003  # of the random numbers that weights are filled with: prime, so that rows do not repeat


@dataclass(frozen=True)
class Size:
    """One published model: `text_config` and `vision_config` of Qwen/Qwen3-VL-*-Instruct, config.json."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    tied: bool
    vision_hidden: int
    vision_intermediate: int
    vision_layers: int
    deepstack: tuple[int, ...]
    vision_heads: int = 16

    def vision_layers_for(self, layers: int) -> int:
        """As large a part of the vision tower as `layers` is of the language tower."""
        return max(1, math.ceil(self.vision_layers * layers / self.layers))

    def deepstack_for(self, vision_layers: int) -> list[int]:
        whole = vision_layers == self.vision_layers
        return list(self.deepstack if whole else range(min(len(self.deepstack), vision_layers)))

    def config(self, layers: int) -> Qwen3VLConfig:
        depth = self.vision_layers_for(layers)
        return Qwen3VLConfig(
            text_config={
                "vocab_size": VOCABULARY,
                "hidden_size": self.hidden,
                "intermediate_size": self.intermediate,
                "num_hidden_layers": layers,
                "num_attention_heads": self.heads,
                "num_key_value_heads": self.kv_heads,
                "head_dim": HEAD_DIM,
                "max_position_embeddings": 262144,
                "rope_theta": 5_000_000,
                "rope_scaling": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
                "tie_word_embeddings": self.tied,
            },
            vision_config={
                "depth": depth,
                "hidden_size": self.vision_hidden,
                "intermediate_size": self.vision_intermediate,
                "num_heads": self.vision_heads,
                "patch_size": 16,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
                "out_hidden_size": self.hidden,
                "num_position_embeddings": 2304,
                "deepstack_visual_indexes": self.deepstack_for(depth),
            },
            image_token_id=IMAGE,
            vision_start_token_id=VISION_START,
            vision_end_token_id=VISION_END,
            tie_word_embeddings=self.tied,
        )

    # What a forward pass takes

    def layer_weights(self) -> int:
        return self.hidden * (2 * self.heads + 2 * self.kv_heads) * HEAD_DIM + 3 * self.hidden * self.intermediate

    def vision_layer_weights(self) -> int:
        return 4 * self.vision_hidden**2 + 2 * self.vision_hidden * self.vision_intermediate

    def weights(self, layers: int) -> int:
        wide = CELL_PATCHES * self.vision_hidden
        vision_layers = self.vision_layers_for(layers)
        mergers = (1 + len(self.deepstack_for(vision_layers))) * (wide**2 + wide * self.hidden)
        vision = vision_layers * self.vision_layer_weights() + mergers
        return vision + layers * self.layer_weights() + (1 if self.tied else 2) * VOCABULARY * self.hidden

    def operations(self, layers: int, tokens: int) -> float:
        """Of a forward pass over pictures that nearly fill `tokens`; causal attention does half of its square."""
        patches = CELL_PATCHES * tokens
        text = 2 * self.layer_weights() * tokens + 2 * tokens**2 * self.heads * HEAD_DIM
        vision = 2 * self.vision_layer_weights() * patches + 4 * patches**2 // pictures_in(tokens) * self.vision_hidden
        return layers * text + self.vision_layers_for(layers) * vision

    def layer_payload(self, tokens: int, rows: int, itemsize: int) -> int:
        """Bytes that a capture keeps of one language layer: queries, keys, and float16 rows."""
        return tokens * (self.heads + self.kv_heads) * HEAD_DIM * itemsize + 2 * rows * self.heads * tokens

    def vision_payload(self, tokens: int, itemsize: int) -> int:
        return 2 * CELL_PATCHES * tokens * self.vision_hidden * itemsize


SIZES = {
    "2B": Size(2048, 6144, 28, 16, 8, True, 1024, 4096, 24, (5, 11, 17)),
    "4B": Size(2560, 9728, 36, 32, 8, True, 1024, 4096, 24, (5, 11, 17)),
    "8B": Size(4096, 12288, 36, 32, 8, False, 1152, 4304, 27, (8, 16, 24)),
}


def build(size: Size, layers: int, dtype: torch.dtype, device: str) -> Qwen3VLForConditionalGeneration:
    """A model that is made on its device, in its dtype, with plain SDPA."""
    with torch.device("meta"):
        model = Qwen3VLForConditionalGeneration._from_config(
            size.config(layers), dtype=dtype, attn_implementation="sdpa"
        )
    model.to_empty(device=device)
    model.tie_weights()
    for module in model.modules():
        if "inv_freq" in module._buffers:  # the only buffers: computed, not loaded
            for name, buffer in type(module)(module.config).named_buffers():
                module._buffers[name] = buffer.to(device)
    _fill(model, dtype, device)
    return model.eval().requires_grad_(False)


@torch.no_grad()
def _fill(model, dtype, device) -> None:
    """Weights of the scale that keeps a signal's, from one short run of random numbers."""
    numbers = torch.randn(PERIOD, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    for number, (name, parameter) in enumerate(model.named_parameters()):
        if parameter.dim() == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        scaled = numbers.roll(7919 * number) * parameter[0].numel() ** -0.5
        for part in parameter.view(-1).split(PERIOD):
            part.copy_(scaled[: len(part)])


@dataclass
class Inputs:
    """Inputs of the model, and the places of pictures and text in them."""

    tensors: dict[str, torch.Tensor]
    cells: torch.Tensor
    grids: list[tuple[int, int]]
    n_prompt: int

    @property
    def tokens(self) -> int:
        return self.tensors["input_ids"].shape[1]

    @property
    def patches(self) -> int:
        return len(self.tensors["pixel_values"])


def pictures_in(tokens: int) -> int:
    return max(1, math.ceil(tokens / MAX_CELLS))


def make_inputs(tokens: int, device: str) -> Inputs:
    """`tokens` tokens: some text, one picture or, in a long input, several of one size, a question, an answer."""
    answer = ANSWER if tokens >= 2 * ANSWER else 0
    n_pictures = pictures_in(tokens)
    room = (tokens - BEFORE - QUESTION - answer) // n_pictures - 2
    cols = math.isqrt(room)
    rows = room // cols
    ids = torch.randint(1000, 100_000, (tokens,), generator=torch.Generator().manual_seed(0))
    picture = torch.tensor([VISION_START, *[IMAGE] * (rows * cols), VISION_END])
    ids[BEFORE : BEFORE + n_pictures * len(picture)] = picture.repeat(n_pictures)
    cells = (ids == IMAGE).nonzero()[:, 0]
    tensors = {
        "input_ids": ids[None],
        "attention_mask": torch.ones_like(ids)[None],
        "mm_token_type_ids": (ids == IMAGE).int()[None],
        "image_grid_thw": torch.tensor([[1, 2 * rows, 2 * cols]] * n_pictures),
        "pixel_values": torch.randn(CELL_PATCHES * len(cells), PATCH_VALUES),
    }
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    return Inputs(tensors, cells, [(rows, cols)] * n_pictures, tokens - answer)

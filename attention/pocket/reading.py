"""The bundled model as anyone would use it: loaded from its folder, pictures through its image processor.

Owns reading one prompt: what the model would answer, and what every row of it reads, from transformers' eager
attention.
Depends on nothing else of this project but the model's sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from attention.environment import POCKET

from .model import MERGE, build_model

FOLDER = POCKET
LONGEST_ANSWER = 40  # tokens


@dataclass(frozen=True)
class Reading:
    """One forward pass over a prompt and an answer that was given.

    `attention` float32 [layer, head, query, key]; `tokens` the ids of all; `first` the row that predicts the answer's
    first token; `spans` which tokens are each picture's, `grids` its (rows, cols) of cells; `is_right` whether the
    model, left to itself, would have answered just so and ended its turn.
    """

    attention: np.ndarray
    tokens: list[int]
    first: int
    spans: list[slice]
    grids: list[tuple[int, int]]
    is_right: bool

    def map(self, row: int, picture: int) -> np.ndarray:
        """Maps of a row on a picture in every layer and head, float32 [layer, head, row, col]."""
        part = self.attention[:, :, row, self.spans[picture]]
        return part.reshape(*part.shape[:2], *self.grids[picture])


@dataclass(frozen=True)
class Pocket:
    """The model with what it needs to read pictures and a question."""

    model: Qwen3VLForConditionalGeneration
    tokenizer: object
    image_processor: Qwen2VLImageProcessorPil

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Pocket:
        """Load in float32 with attention that can be read."""
        model = Qwen3VLForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, attn_implementation={"text_config": "eager", "vision_config": "sdpa"}
        )
        return cls(
            model.eval(), AutoTokenizer.from_pretrained(folder), Qwen2VLImageProcessorPil.from_pretrained(folder)
        )

    def untrained(self, seed: int) -> Pocket:
        """Return the same model before its training."""
        model = build_model(self.model.config, seed)
        model.set_attn_implementation({"text_config": "eager", "vision_config": "sdpa"})
        return Pocket(model.eval(), self.tokenizer, self.image_processor)

    def inputs(self, images: tuple[Image.Image, ...], text: str, answer: str = "") -> dict[str, torch.Tensor]:
        """Return the model's inputs for one prompt, and for an answer behind it."""
        pictures = self.image_processor(images=list(images), return_tensors="pt")
        chat = [{"role": "user", "content": [*({"type": "image"} for _ in images), {"type": "text", "text": text}]}]
        prompt = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        for n_patches in pictures["image_grid_thw"].prod(dim=1).tolist():
            prompt = prompt.replace("<|image_pad|>", "<|cell|>" * (n_patches // MERGE**2), 1)
        prompt = prompt.replace("<|cell|>", "<|image_pad|>")
        ids = self.tokenizer(prompt, return_tensors="pt")["input_ids"]
        if answer:
            ids = torch.cat([ids, self.tokenizer(answer, return_tensors="pt")["input_ids"]], dim=1)
        pictured = ids == self.model.config.image_token_id
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": pictured.int(),
            **pictures,
        }

    @torch.no_grad()
    def answer(self, images: tuple[Image.Image, ...], text: str, longest: int = LONGEST_ANSWER) -> str:
        """Return the generated answer; the model itself ends its turn, or it is cut after `longest` tokens."""
        inputs = self.inputs(images, text)
        n_prompt = inputs["input_ids"].shape[1]
        tokens = self.model.generate(**inputs, max_new_tokens=longest, do_sample=False)[0, n_prompt:]
        text = self.tokenizer.decode(tokens)
        return text.removesuffix("<|im_end|>") if text.endswith("<|im_end|>") else f"{text} (unfinished)"

    @torch.no_grad()
    def read(self, images: tuple[Image.Image, ...], text: str, answer: str) -> Reading:
        """Read a prompt with an answer in one pass, and with it everything that generating it would have shown.

        Where the most probable token at every step is the answer's next one, greedy generation would have written it.
        """
        inputs = self.inputs(images, text, f"{answer}<|im_end|>")
        ids = inputs["input_ids"][0]
        n_answer = len(self.tokenizer.encode(f"{answer}<|im_end|>"))
        output = self.model(**inputs, output_attentions=True, use_cache=False)
        first = len(ids) - n_answer - 1
        said = output.logits[0, first:-1].argmax(dim=-1)
        cells, spans, grids = inputs["mm_token_type_ids"][0].nonzero()[:, 0].tolist(), [], []
        for _, rows, cols in inputs["image_grid_thw"].tolist():
            grids.append((rows // MERGE, cols // MERGE))
            n_cells = grids[-1][0] * grids[-1][1]
            spans.append(slice(cells[0], cells[0] + n_cells))
            cells = cells[n_cells:]
        attention = torch.stack([layer[0] for layer in output.attentions]).numpy()
        return Reading(attention, ids.tolist(), first, spans, grids, bool((said == ids[first + 1 :]).all()))

    def row_of(self, reading: Reading, answer: str, character: int) -> int:
        """Return the row that predicts the answer's token which holds this character."""
        offsets = self.tokenizer(answer, return_offsets_mapping=True)["offset_mapping"]
        return reading.first + next(index for index, (_, end) in enumerate(offsets) if end > character)

"""Answers of several questions, written in one batch: prompts of other lengths are padded on their left.

Owns which inputs fit into one batch. What comes of it is a guess until it is proved: a batch sums in another order than
one question alone, and a model may read padding otherwise than its code says. The pass that reads an answer proves it
(`Extraction.keep(is_proved=True)`), token by token; so nothing here must be known of a family.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch

from attention.families.family import Inputs
from attention.models.kept import LoadedModel

from .answering import greedily


def fits_with(inputs: Inputs, loaded: LoadedModel) -> Hashable | None:
    """A key that is the same for inputs which go into one batch; None for those that go into none.

    Tensors of tokens are padded, all others are set one behind the other, so that they may differ in their first side
    alone. A tensor that could be of tokens and is not known as one is not guessed at.
    """
    if inputs.answered != "input_ids":
        return None
    n, sides = len(inputs.ids), []
    for name, tensor in sorted(inputs.tensors.items()):
        if name == "input_ids" or name in loaded.family.per_token:
            if tuple(tensor.shape) != (1, n):
                return None
            sides.append((name,))
        elif tensor.dim() < 1 or (tensor.dim() > 1 and tuple(tensor.shape[:2]) == (1, n)):
            return None
        else:
            sides.append((name, str(tensor.dtype), *tensor.shape[1:]))
    return tuple(sides)


def written_together(
    batch: Sequence[Inputs], most: int, loaded: LoadedModel, watch: Callable[[int], None]
) -> list[list[int]]:
    """Token ids that the model says after each of several inputs of one key, greedily, at most so many.

    `watch` is given the number of tokens after each, and may raise. Raises as `answering.written` does.
    """
    longest = max(len(inputs.ids) for inputs in batch)
    ids = greedily(_stacked(batch, longest, loaded), longest, most, loaded, lambda said: watch(said.shape[1]))
    ends = loaded.model.generation_config.eos_token_id
    stops = set(ends if isinstance(ends, list | tuple) else [] if ends is None else [ends])
    return [_until(row, stops) for row in ids.tolist()]


def _stacked(batch: Sequence[Inputs], longest: int, loaded: LoadedModel) -> dict[str, torch.Tensor]:
    tokenizer, tensors = loaded.processor.tokenizer, {}
    fill = next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)
    for name in batch[0].tensors:
        rows = [inputs.tensors[name] for inputs in batch]
        if name == "input_ids" or name in loaded.family.per_token:
            value = fill if name == "input_ids" else 0
            rows = [torch.nn.functional.pad(row, (longest - row.shape[1], 0), value=value) for row in rows]
        tensors[name] = torch.cat(rows)
    if "attention_mask" not in tensors:
        lengths = torch.tensor([len(inputs.ids) for inputs in batch])
        tensors["attention_mask"] = (torch.arange(longest) >= longest - lengths[:, None]).long()
    return tensors


def _until(ids: list[int], stops: set[int]) -> list[int]:
    """An answer up to the token that ends it: what follows there is padding."""
    end = next((number for number, token in enumerate(ids, 1) if token in stops), len(ids))
    return ids[:end]

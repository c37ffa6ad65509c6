"""Logit lens of a run: every hidden state of the language model through the final norm and the head.

Owns the pass and the proof: after the last layer the words are those of the model's own logits, or nothing is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from attention.errors import UnsupportedModel
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.readings.lens import FILE, KIND, Lens
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.runs.tokens import token_texts

from .asked_again import asked_again
from .direct_path import decoder_layers
from .extraction import Adapted, all_or_nothing
from .kept_reading import commit_reading, found_or_made
from .layer_writer import save_tensors
from .tried import check_same_words

WORDS = 5  # that are kept of each token and layer
CHUNK_BYTES = 64 << 20  # of float32 logits at a time
EQUAL, EQUAL_16 = 1e-3, 0.1  # by which the last layer's log-probabilities may miss the model's own, of their spread


def read_lens(
    run: Run,
    *,
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: str | os.PathLike | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
) -> Lens:
    """Read the five likeliest words of every token after every layer, image tokens too; kept beside the run.

    Raises UnsupportedModel for a model whose logits are not its final norm and head, CaptureError where the model does
    not read what the run says, and what `extract` raises.
    """

    def fill(own: PartialRun, given) -> Path:
        return fill_lens(run, own, given, limits, adapted)

    return Lens(run, found_or_made(run, KIND, folder, fill, model, processor, partial))


def fill_lens(
    run: Run, partial: PartialRun, model=None, limits: Limits | None = None, adapted: Adapted | None = None
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    with all_or_nothing(partial), asked_again(run, partial, model, limits, adapted) as asked:
        began = time.perf_counter()
        layers, norm = decoder_layers(asked.loaded), final_norm(asked.loaded)
        head = asked.loaded.model.get_output_embeddings()
        found: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        with ExitStack() as hooks:
            for index, layer in enumerate(layers):

                def read(module, args, output, index=index):
                    partial.report("capture", index, len(layers))
                    hidden = output[0] if isinstance(output, tuple) else output
                    if hidden.dim() != 3:
                        raise UnsupportedModel(f"{asked.loaded.id} has several states for each token, and no one word.")
                    found[index] = _words(hidden[0], norm, head, partial.check_cancelled)

                hooks.callback(layer.register_forward_hook(read).remove)
            logits = asked.logits()[0]
        check_same_words(asked, logits)
        own = torch.log_softmax(logits.float(), dim=-1)
        _, logprobs = found[len(layers) - 1]
        missed = (logprobs[asked.first - 1 :].cpu() - own.topk(WORDS).values.cpu()).abs()
        most = EQUAL if asked.loaded.dtype == "float32" else EQUAL_16
        if not bool((missed <= most * own.std(dim=-1, keepdim=True).cpu()).all()):
            raise UnsupportedModel(
                f"The logits of {asked.loaded.id} are more than its final norm and its head make of the last layer, so "
                "words after earlier layers would be in another scale than its own."
            )
        tables = {
            "ids": torch.stack([found[i][0].cpu().to(torch.int32) for i in sorted(found)]),
            "logprobs": torch.stack([found[i][1].cpu() for i in sorted(found)]),
        }
        save_tensors(tables, partial.folder / FILE)
        tokenizer = asked.loaded.processor.tokenizer
        every = sorted(set(tables["ids"].flatten().tolist()))
        texts = {str(each): token_texts([each], tokenizer.decode, lambda _: False)[0][0] for each in every}
        fields = {"layers": sorted(found), "texts": texts, "towers": {}}
        return commit_reading(partial, run, KIND, began, fields)


def final_norm(loaded: LoadedModel) -> torch.nn.Module:
    """The norm after the last layer of the language model. Raises UnsupportedModel where there is not just one."""
    layers = decoder_layers(loaded)
    parents = [module for module in loaded.model.modules() if any(child is layers for child in module.children())]
    norms = {name: child for name, child in parents[0].named_children() if "Norm" in type(child).__name__}
    norm = norms.get("norm") if len(norms) > 1 else next(iter(norms.values()), None)
    if norm is None:
        raise UnsupportedModel(f"The norm after the last layer of {loaded.id} is not known; the lens needs it.")
    return norm


def _words(
    hidden: torch.Tensor, norm: torch.nn.Module, head: Any, stop: Callable[[], None]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest ids of hidden states [tokens, hidden] and their log-probabilities, [tokens, WORDS] each."""
    step = max(1, CHUNK_BYTES // (4 * head.weight.shape[0]))
    found = []
    for start in range(0, len(hidden), step):
        stop()
        found.append(torch.log_softmax(head(norm(hidden[start : start + step])).float(), dim=-1).topk(WORDS))
    return torch.cat([each.indices for each in found]), torch.cat([each.values for each in found])

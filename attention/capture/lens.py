"""Logit lens of a run: every hidden state of the language model through the final norm and the head.

Owns the pass and its proofs: queries and keys of every layer are those of the run, and after the last layer the words
are those of the model's own logits, or nothing is kept.
"""

from __future__ import annotations

import functools
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
from attention.readings.cost import cost_of_lens
from attention.readings.lens import ABOUT, FILE, KIND, Lens
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .asked_again import AskedAgain, asked_again
from .direct_path import decoder_layers
from .extraction import Adapted, all_or_nothing
from .kept_reading import commit_reading, found_or_made
from .layer_writer import save_tensors
from .plan import plan_towers
from .same_pass import SamePass
from .tried import check_same_words
from .vocabulary import spelled

Words = tuple[torch.Tensor, torch.Tensor]  # ids of the vocabulary and their log-probabilities, [tokens, WORDS] each
Way = Callable[[torch.Tensor], torch.Tensor]  # from what the head gives to logits

WORDS = 5  # that are kept of each token and layer
CHUNK_BYTES = 64 << 20  # of float32 logits at a time
EQUAL, EQUAL_16 = 1e-3, 0.1  # by which the last layer's log-probabilities may miss the model's own, of their spread
# of configs, by which logits are scaled: some models multiply by what others divide by
SCALES = ("logit_scale", "logits_scaling", "logits_mup_width_multiplier")


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

    Raises UnsupportedModel for a model whose logits are not its final norm and head, CaptureError where it computes
    other queries and keys than the run has, or another answer, and what `extract` raises.
    """

    def fill(own: PartialRun, given) -> Path:
        return fill_lens(run, own, given, limits, adapted)

    return Lens(run, found_or_made(run, KIND, folder, fill, model, processor, partial))


def fill_lens(
    run: Run, partial: PartialRun, model=None, limits: Limits | None = None, adapted: Adapted | None = None
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    cost = cost_of_lens(run)
    with all_or_nothing(partial), asked_again(run, partial, model, limits, adapted, cost, ABOUT) as asked:
        began = time.perf_counter()
        loaded = asked.loaded
        layers, norm = decoder_layers(loaded), final_norm(loaded)
        head, ways = loaded.model.get_output_embeddings(), logits_of_head(loaded.model.config)
        found: dict[int, list[Words]] = {}
        same = SamePass(asked, plan_towers(asked.loaded, asked.inputs, asked.first, False, asked.limits))
        with ExitStack() as hooks, same:
            for index, layer in enumerate(layers):

                def read(module, args, output, index=index):
                    partial.report("capture", index, len(layers))
                    hidden = output[0] if isinstance(output, tuple) else output
                    states = loaded.family.read_out(loaded.model, module, args, hidden)
                    if states is None:
                        if norm is None:
                            raise UnsupportedModel(f"The norm after the last layer of {loaded.id} is not known.")
                        if hidden.dim() != 3:
                            raise UnsupportedModel(f"{loaded.id} has several states for each token, and no one word.")
                        states = norm(hidden)
                    found[index] = _words(states[0], head, ways, partial.check_cancelled)

                hooks.callback(layer.register_forward_hook(read).remove)
            logits = asked.logits()[0]
        check_same_words(asked, logits)
        way = _proven(asked, found[len(layers) - 1], torch.log_softmax(logits.float(), dim=-1))
        tables = {
            "ids": torch.stack([found[i][way][0].cpu().to(torch.int32) for i in sorted(found)]),
            "logprobs": torch.stack([found[i][way][1].cpu() for i in sorted(found)]),
        }
        save_tensors(tables, partial.folder / FILE)
        texts, unspelled = spelled(asked.loaded.processor.tokenizer, tables["ids"].flatten().tolist())
        fields = {
            "layers": sorted(found), "texts": {str(each): text for each, text in texts.items()},
            "unspelled": unspelled, "towers": {}, "difference": same.difference,
        }  # fmt: skip
        return commit_reading(partial, run, KIND, began, fields)


def logits_of_head(config: Any) -> list[Way]:
    """The ways in which logits may be made of what the head gives: as it is, and as the model's config names them.

    Which of them a model goes, the last layer proves.
    """
    text = config.get_text_config(decoder=True)
    cap, words = getattr(text, "final_logit_softcapping", None), getattr(text, "unpadded_vocab_size", None)
    scales = [getattr(text, name, None) for name in SCALES]
    ways: list[Way] = [_as_it_is]
    ways += [functools.partial(_capped, cap=cap)] if cap else []
    ways += [functools.partial(_scaled, by=by) for scale in scales if scale for by in (scale, 1 / scale)]
    return [functools.partial(_of_words, way=way, words=words) for way in ways]


def _as_it_is(logits: torch.Tensor) -> torch.Tensor:
    return logits


def _capped(logits: torch.Tensor, cap: float) -> torch.Tensor:
    return torch.tanh(logits / cap) * cap


def _scaled(logits: torch.Tensor, by: float) -> torch.Tensor:
    return logits * by


def _of_words(logits: torch.Tensor, way: Way, words: int | None) -> torch.Tensor:
    """The same without rows of the head that stand for no word of the vocabulary."""
    return way(logits[..., :words])


def _proven(asked: AskedAgain, last: list[Words], own: torch.Tensor) -> int:
    """The way that gives the model's own log-probabilities [rows, vocabulary] after the last layer.

    Raises UnsupportedModel where none does.
    """
    own = own.cpu()
    missed = []
    for words in last:
        ids, logprobs = (each[asked.first - 1 :].cpu() for each in words)
        away = torch.maximum((logprobs - own.topk(WORDS).values).abs(), (logprobs - own.gather(-1, ids)).abs())
        missed.append(float((away / own.std(dim=-1, keepdim=True)).max()))
    way = min(range(len(last)), key=missed.__getitem__)
    if not missed[way] <= (EQUAL if asked.loaded.dtype == "float32" else EQUAL_16):
        raise UnsupportedModel(
            f"The logits of {asked.loaded.id} are more than its final norm and its head make of the last layer, so "
            "words after earlier layers would be in another scale than its own."
        )
    return way


def final_norm(loaded: LoadedModel) -> torch.nn.Module | None:
    """The norm after the last layer of the language model; None where there is not just one."""
    layers = decoder_layers(loaded)
    parents = [module for module in loaded.model.modules() if any(child is layers for child in module.children())]
    norms = {name: child for name, child in parents[0].named_children() if "Norm" in type(child).__name__}
    return norms.get("norm") if len(norms) > 1 else next(iter(norms.values()), None)


def _words(states: torch.Tensor, head: Any, ways: list[Way], stop: Callable[[], None]) -> list[Words]:
    """The likeliest ids of states [tokens, hidden] that the head reads, and their log-probabilities, by way.

    [tokens, WORDS] each.
    """
    step = max(1, CHUNK_BYTES // (4 * head.weight.shape[0]))
    found: list[list[Words]] = [[] for _ in ways]
    for start in range(0, len(states), step):
        stop()
        logits = head(states[start : start + step].to(head.weight.dtype)).float()
        for way, kept in zip(ways, found, strict=True):
            top = torch.log_softmax(way(logits), dim=-1).topk(WORDS)
            kept.append((top.indices, top.values))
    return [(torch.cat([ids for ids, _ in kept]), torch.cat([values for _, values in kept])) for kept in found]

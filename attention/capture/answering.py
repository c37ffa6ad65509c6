"""An answer as token ids: given as text, or written by the model; and notes on how it is read.

Knows nothing of attention and of folders.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import torch

from attention.errors import CaptureError, InvalidRequest, NotFinite, quoted
from attention.families.family import Inputs
from attention.models.devices import inputs_for
from attention.models.kept import LoadedModel
from attention.request import Request
from attention.runs.partial import PartialRun

from .failures import MODEL_FAILURES, fails_by_itself, is_finite

SHOWN = 20  # characters of a text


class NotItsOwn(CaptureError):
    """An answer of which the pass that reads it would have written another token."""


def written(request: Request, partial: PartialRun, inputs: Inputs, loaded: LoadedModel) -> list[int]:
    """Token ids that the model says after its inputs, greedily; `partial` is told of each, and asked for a stop.

    Raises NotFinite where its first logits are no numbers, ModelUnavailable where its own code fails.
    """
    n_prompt, tokenizer = inputs.tensors[inputs.answered].shape[1], loaded.processor.tokenizer

    def watch(ids: torch.Tensor) -> None:
        partial.check_cancelled()
        said = ids[0].tolist()
        partial.report("answer", len(said), request.max_new_tokens, loaded.family.text(tokenizer, said))

    partial.report("answer", 0, request.max_new_tokens, "")
    return greedily(inputs.tensors, n_prompt, request.max_new_tokens, loaded, watch)[0].tolist()


def greedily(
    tensors: dict[str, torch.Tensor], n_prompt: int, most: int, loaded: LoadedModel, watch: Callable[..., None]
) -> torch.Tensor:
    """Ids [batch, tokens] of what the model says after prompts of one length, each token the most probable one.

    `watch` is given the ids so far after every token, and may raise. Raises as `written` does.
    """
    from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

    class Watch(StoppingCriteria):
        """Called after every token: reports it, and stops the job when it was cancelled."""

        def __call__(self, ids, scores, **_):
            watch(ids[:, n_prompt:])
            return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    class Finite(LogitsProcessor):
        """Looks at the logits of the first token: what follows from NaN is no answer."""

        def __call__(self, ids, scores):
            if ids.shape[1] == n_prompt and not is_finite(scores):
                raise NotFinite
            return scores

    try:
        ids = loaded.model.generate(
            **inputs_for(loaded.model, loaded.family, tensors),
            max_new_tokens=most,
            return_dict_in_generate=False,
            num_beams=1,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            logits_processor=LogitsProcessorList([Finite()]),
            stopping_criteria=StoppingCriteriaList([Watch()]),
        )
    except MODEL_FAILURES as error:
        raise fails_by_itself(error) from error
    return ids[:, n_prompt:]


def without_pictures(answer_ids: list[int], inputs: Inputs, loaded: LoadedModel) -> list[int]:
    """The answer as it is.

    Raises InvalidRequest when it has a token with which the input holds a picture's cells, or one that the model's
    head cannot write: Llama 3.2 Vision's for a picture.
    """
    n_written = loaded.model.get_output_embeddings().weight.shape[0]
    of_pictures = {token for token, role in zip(inputs.ids, inputs.roles, strict=True) if role == "image"}
    found = next((token for token in answer_ids if token in of_pictures or token >= n_written), None)
    if found is not None:
        raise InvalidRequest(
            f"The answer contains {loaded.processor.tokenizer.decode([found])}, which stands for a part of a picture, "
            "so the model cannot read it again. Give an answer without it."
        )
    return answer_ids


def answer_notes(request: Request, loaded: LoadedModel, answer_ids: list[int], roles: list[str]) -> list[str]:
    """Notes on a given answer that is read otherwise than it stands; `roles` are those of its tokens."""
    if request.answer is None:
        return []
    return [*_spelling_notes(request.answer, loaded, answer_ids), *_thought_notes(roles)]


def _spelling_notes(given: str, loaded: LoadedModel, answer_ids: list[int]) -> list[str]:
    """A note where the tokens of an answer that was given spell another text."""
    tokenizer = loaded.processor.tokenizer
    spelled = tokenizer.decode(answer_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    if spelled == given:
        return []
    if unicodedata.normalize("NFC", given) == unicodedata.normalize("NFC", spelled):
        return ["The tokenizer composes signs of the answer that was given otherwise (Unicode normalisation)."]
    pairs = enumerate(zip(given, spelled, strict=False))
    at = next((i for i, (one, other) in pairs if one != other), min(len(given), len(spelled)))
    return [
        f"The answer that was given is not read as it stands: after {at:,} characters it goes on with "
        f"{quoted(given[at : at + SHOWN])}, and its tokens with {quoted(spelled[at : at + SHOWN])}."
    ]


def _thought_notes(roles: list[str]) -> list[str]:
    """A note where a given answer is all thought: its template begins with one, and nothing in it ends that."""
    said = set(roles) - {"special"}
    if said != {"thinking"}:
        return []
    return [
        "This model's chat template begins an answer with a thought, and the answer that was given does not end "
        "it: all of it is read as a thought, in which no places are looked for. Put </think> before the answer."
    ]

"""Model inputs that a caller has prepared, taken as they are: which token is which, and where its picture lies.

Owns the proof: the words and pictures that are said to be in the inputs are prepared here as well, and what comes out
must be what was given. Without words or pictures both are read back from the inputs, as far as that can be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from attention.errors import InvalidRequest, UnsupportedModel, quoted, shortened
from attention.families.cells import Cell
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.request import Request
from attention.runs.token_spans import Span
from attention.runs.tokens import spans

from .images import open_pictures
from .inputs import Prepared, prepare

if TYPE_CHECKING:
    from typing_extensions import TypeIs

# by which pixel values may differ, of a picture normalised with a deviation of half its range or less: three to six of
# its 255 steps, as other ways to resize have it
EQUAL_PIXELS, USUAL_STD = 0.05, 0.5
PADDED = ("cross_attention_mask",)  # one entry per token, besides what every family has so
READ_WITH = (
    "answer", "mode", "max_new_tokens", "vision", "coordinates", "model_type", "adapter", "adapter_scale",
)  # fmt: skip


def is_prepared(given: Any) -> TypeIs[Mapping]:
    """True for what a processor returns: a BatchFeature, or a dict of tensors."""
    return isinstance(given, Mapping) and "input_ids" in given


@dataclass(frozen=True)
class Said:
    """Words and pictures that a caller says to be in prepared inputs, each as far as it is given."""

    messages: list[dict] | None
    images: Sequence[Any]
    fields: dict[str, Any]

    def request(self, messages: list[dict], images: Sequence[Any]) -> Request:
        """These words and pictures, with what else is asked for."""
        return Request(images=tuple(images), messages=messages, **self.fields)


def taken(given: Mapping, said: Said, loaded: LoadedModel, limits: Limits) -> tuple[Request, Prepared]:
    """The request that prepared inputs come to, and these with each token's role and cell.

    Raises InvalidRequest where the inputs are not one sequence, or not of what they are said to be of, and
    UnsupportedModel where no picture is given and the family cannot turn pixel values back into one.
    """
    unread = sorted(set(said.fields) - set(READ_WITH))
    if unread:
        raise InvalidRequest(f"{unread[0]} is not read with prepared inputs: it changes nothing in them. Leave it out.")
    tensors, notes = _unpadded(_tensors(given, loaded.model), loaded.family)
    family, processor = loaded.family, loaded.processor
    ids = tensors["input_ids"][0].tolist()
    images: Sequence[Any] = said.images
    messages = said.messages
    has_pixels = any("pixel_values" in name for name in tensors)
    is_rebuilt = has_pixels and len(images) == 0 and not _names_pictures(messages)
    if is_rebuilt:
        images = family.pictures_of(processor, tensors)
        notes.append("Pictures were rebuilt from pixel values: they are shown in the size in which they were read.")
    if messages is None:
        special = family.control_tokens(processor.tokenizer)
        messages = _spelled_back(ids, len(images), processor.tokenizer, special)
        notes.append(
            "The inputs came without messages: system prompt, question and the template's words are not told apart."
        )
    asked = said.request(messages, images)
    pictures = open_pictures(asked, limits)
    read = asked
    if said.messages is None:  # any words do: pictures alone are looked at
        read = said.request([{"role": "user", "content": [*_image_entries(len(images)), _text("?")]}], asked.images)
    if is_rebuilt and family.takes_entry_sizes:
        read = said.request(_in_their_sizes(read.conversation(), asked.images), asked.images)
    ours = prepare(read, pictures, family, processor, replace(limits, default_visual_tokens=None))
    if ours.inputs.n_encoded:
        tensors = _with_start(tensors, ours.inputs)
    _check_names(tensors, ours.inputs, loaded)
    _check_pixels(tensors, ours.inputs, loaded, is_rebuilt)
    if said.messages is None:
        inputs = _by_kind(tensors, ours.inputs, family.control_tokens(processor.tokenizer))
    else:
        _check_words(replace(ours.inputs, tensors=tensors).ids, ours.inputs, processor.tokenizer)
        _check_kinds(tensors, ours.inputs, family)
        inputs = replace(ours.inputs, tensors=tensors)
        n = len(inputs.ids)
        inputs = replace(inputs, roles=inputs.roles[:n], cells=inputs.cells[:n])
    every = [*notes, *(note for note in ours.notes if not is_rebuilt)]
    return asked, Prepared(inputs, pictures, every, processor, limits, ours.visual_tokens)


def _tensors(given: Mapping, model: Any) -> dict[str, torch.Tensor]:
    """The inputs as tensors on the CPU, of one sequence. Raises InvalidRequest for anything else."""
    tensors = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            tensor = torch.as_tensor(value).detach()
        except (TypeError, ValueError, RuntimeError):
            try:  # as a processor gives them that was not asked for tensors
                tensor = torch.stack([torch.as_tensor(part) for part in value])
            except (TypeError, ValueError, RuntimeError):
                raise InvalidRequest(
                    f"{name} of the inputs is of type {type(value).__name__}, no array of numbers. Ask the processor "
                    "for tensors: return_tensors='pt'."
                ) from None
        if tensor.is_meta:
            raise InvalidRequest(f"{name} of the inputs has no numbers: it is on the device meta.")
        tensors[name] = tensor.cpu()
    ids = tensors["input_ids"]
    if ids.ndim == 1:
        tensors = {name: each[None] if each.shape == ids.shape else each for name, each in tensors.items()}
        ids = tensors["input_ids"]
    if ids.ndim != 2 or ids.is_floating_point() or not ids.numel():
        raise InvalidRequest(
            f"input_ids of the inputs has the shape {list(ids.shape)} and is {ids.dtype}; it must be [1, tokens]."
        )
    if len(ids) != 1:
        raise InvalidRequest(
            f"The inputs hold {len(ids)} sequences; a run is of one. Let the processor prepare each by itself."
        )
    known = model.get_input_embeddings().weight.shape[0]
    strange = ids[(ids < 0) | (ids >= known)].tolist()
    if strange:
        raise InvalidRequest(
            f"input_ids of the inputs has token {strange[0]}; this model knows those from 0 to {known - 1:,}. Give the "
            "inputs of its own processor."
        )
    return tensors | {"input_ids": ids.long()}


def _unpadded(tensors: dict[str, torch.Tensor], family) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The inputs without padding, and a note where there was some. Raises InvalidRequest for a mask with holes."""
    mask = tensors.get("attention_mask")
    if mask is None:
        return tensors, []
    ids = tensors["input_ids"]
    if mask.shape != ids.shape:
        raise InvalidRequest(
            f"attention_mask of the inputs has the shape {list(mask.shape)}; that of input_ids is {list(ids.shape)}."
        )
    seen = mask[0].nonzero()[:, 0]
    if len(seen) == mask.shape[1]:
        return tensors, []
    if not len(seen) or int(seen[-1]) - int(seen[0]) + 1 != len(seen):
        raise InvalidRequest(
            "attention_mask of the inputs hides tokens between others; padding is left out at both ends only. Give the "
            "sequence without a mask, or whole."
        )
    first, stop = int(seen[0]), int(seen[-1]) + 1
    per_token = {"input_ids", *family.per_token, *PADDED}
    kept = {name: each[:, first:stop] if name in per_token else each for name, each in tensors.items()}
    n = mask.shape[1] - len(seen)
    return kept, [
        f"{n} token{'s' * (n > 1)} of padding, hidden by attention_mask, {'are' if n > 1 else 'is'} left out."
    ]


def _names_pictures(messages: list[dict] | None) -> bool:
    """True if an entry of a chat says which picture it is."""
    contents = [message.get("content") for message in messages or () if isinstance(message, Mapping)]
    entries = [entry for content in contents if isinstance(content, list) for entry in content]
    return any(isinstance(each, Mapping) and each.get("type") != "text" and len(each) > 1 for each in entries)


def _spelled_back(ids: list[int], n_images: int, tokenizer, special: set[int]) -> list[dict]:
    """A conversation of one turn with the words that inputs hold, and their pictures before them."""
    text = tokenizer.decode([token for token in ids if token not in special], clean_up_tokenization_spaces=False)
    return [{"role": "user", "content": [*_image_entries(n_images), _text(text)]}]


def _image_entries(count: int) -> list[dict]:
    return [{"type": "image"} for _ in range(count)]


def _text(text: str) -> dict:
    return {"type": "text", "text": text}


def _in_their_sizes(conversation: list[dict], images: Sequence[Image.Image]) -> list[dict]:
    """The same conversation, its pictures to be read in the sizes that they have."""
    areas = iter([image.width * image.height for image in images])

    def sized(entry: dict) -> dict:
        if entry["type"] != "image":
            return entry
        area = next(areas)
        return {"type": "image", "min_pixels": area, "max_pixels": area}

    return [{**message, "content": [sized(entry) for entry in message["content"]]} for message in conversation]


def _check_names(tensors: dict[str, torch.Tensor], ours: Inputs, loaded: LoadedModel) -> None:
    """Raise InvalidRequest for inputs that are not made of words and pictures, or lack a part of them."""
    known = {*ours.tensors, *loaded.family.per_token}
    unknown = sorted(set(tensors) - known)
    if unknown:
        raise InvalidRequest(
            f"The inputs have {shortened(', '.join(unknown))}, which this model's processor does not make of words and "
            "pictures alone. Leave it out."
        )
    lacking = sorted(set(ours.tensors) - set(tensors) - {"attention_mask"})
    if lacking:
        raise InvalidRequest(
            f"The inputs lack {shortened(', '.join(lacking))}, which this model's processor makes of the pictures that "
            "were given. Give the inputs whole, or the pictures that they were made of."
        )


def _check_pixels(tensors: dict[str, torch.Tensor], ours: Inputs, loaded: LoadedModel, is_rebuilt: bool) -> None:
    """Raise InvalidRequest where the inputs hold other pictures than those that were given, or read otherwise."""
    per_token = {"input_ids", *loaded.family.per_token, *PADDED}
    for name in sorted(set(tensors) - per_token, key=lambda name: ("pixel_values" not in name, name)):
        given, own = tensors[name], ours.tensors[name]
        if given.shape == own.shape:
            bound = _equal_pixels(loaded.processor) if own.is_floating_point() else 0
            if float((given.double() - own.double()).abs().max()) <= bound:  # NaN is not
                continue
            what = "holds other numbers"
        else:
            what = f"has the shape {list(given.shape)} instead of {list(own.shape)}"
        if is_rebuilt:
            raise UnsupportedModel(
                f"The pictures cannot be rebuilt from these inputs: read again, {name} {what}. Give the pictures that "
                "the inputs were made of: images=."
            )
        raise InvalidRequest(
            f"{name} of the inputs {what} than this processor makes of the given pictures. Give the pictures and the "
            "processor that the inputs were made with; without images= they are rebuilt from pixel values, where that "
            "can be done."
        )


def _equal_pixels(processor: Any) -> float:
    """A bound by which pixel values may differ, as this processor normalises them: Gemma 4's leaves them at 0 to 1."""
    settings = processor.image_processor
    stds = getattr(settings, "image_std", None) if getattr(settings, "do_normalize", False) else None
    return EQUAL_PIXELS * min(1.0, USUAL_STD / max(np.atleast_1d(1.0 if stds is None else stds)))


def _check_words(ids: list[int], ours: Inputs, tokenizer) -> None:
    """Raise InvalidRequest where inputs do not hold what messages say; they may end before the answer's header."""
    own = ours.ids
    at = next(
        (i for i, (given, due) in enumerate(zip(ids, own, strict=False)) if given != due), min(len(ids), len(own))
    )
    if at == len(ids) and set(ours.roles[at:]) <= {"special"}:
        return
    found, due = (quoted(tokenizer.decode(tokens[at : at + 8])) if tokens[at:] else "the end" for tokens in (ids, own))
    raise InvalidRequest(
        f"The inputs are not of these messages: from token {at} on they go on with {found}, and the messages with "
        f"{due}. Give the messages that the inputs were made of (an answer as answer=), or leave messages out."
    )


def _check_kinds(tensors: dict[str, torch.Tensor], ours: Inputs, family) -> None:
    """Raise InvalidRequest where what inputs say of each token is not what the processor says of it."""
    for name in sorted({*family.per_token, *PADDED} & set(tensors) & set(ours.tensors) - {"attention_mask"}):
        given = tensors[name]
        if not torch.equal(given.double(), ours.tensors[name][:, : given.shape[1]].double()):
            raise InvalidRequest(
                f"{name} of the inputs holds other numbers than this processor makes of the given messages. Give the "
                "inputs as the processor made them."
            )


def _with_start(tensors: dict[str, torch.Tensor], ours: Inputs) -> dict[str, torch.Tensor]:
    """The inputs of an encoder with those that a decoder begins with. Raises InvalidRequest for an answer in them."""
    start = ours.tensors["decoder_input_ids"]
    given = tensors.get("decoder_input_ids", start)
    if given.shape != start.shape or not torch.equal(given.long(), start):
        raise InvalidRequest(
            f"decoder_input_ids of the inputs is {given[0].tolist()[:8]}, and an answer begins with "
            f"{start[0].tolist()}. Leave it out, and give an answer as answer=."
        )
    return tensors | {"decoder_input_ids": start}


def _by_kind(tensors: dict[str, torch.Tensor], ours: Inputs, special: set[int]) -> Inputs:
    """Inputs whose words nobody has told: tokens of pictures, control tokens, and the rest, which is `prompt`.

    The k-th token of a picture stands for what the k-th stands for in `ours`, which is of the same pictures.
    """
    ids, n_encoded = tensors["input_ids"][0].tolist(), ours.n_encoded
    of_pictures = {token for token, role in zip(ours.ids, ours.roles, strict=True) if role == "image"}
    before, now = ([place for place, token in enumerate(each) if token in of_pictures] for each in (ours.ids, ids))
    if len(now) != len(before):
        raise InvalidRequest(
            f"The inputs have {len(now):,} tokens of pictures, and the pictures in them take {len(before):,}. Give the "
            "inputs as the processor made them."
        )
    roles = ["special" if token in special else "prompt" for token in ids]
    placed: list[Cell | None] = [None] * len(ids)
    for there, here in zip(before, now, strict=True):
        placed[here] = ours.cells[there]
        roles[here] = "image" if ours.roles[there] == "image" else roles[here]
    moved = dict(zip(before, now, strict=True))
    if ours.token_images:  # what a resampler made of pictures
        made = {tower: [(first, last) for first, last in spans(now)] for tower in ours.query_tokens}
        images = {moved[token]: image for token, image in ours.token_images.items()}
        ours = replace(ours, query_tokens=made, token_images=images)
    if not n_encoded:
        return replace(ours, tensors=tensors, roles=roles, cells=placed)
    more, start = len(ids) - n_encoded, ours.roles[n_encoded:]

    def shifted(of: dict[str, list[Span]]) -> dict[str, list[Span]]:
        """An encoder's tokens are all from the first on, a decoder's come after them."""
        return {tower: [(first and first + more, last + more) for first, last in each] for tower, each in of.items()}

    return replace(
        ours,
        tensors=tensors,
        roles=roles + start,
        cells=placed + [None] * len(start),
        query_tokens=shifted(ours.query_tokens),
        key_tokens=shifted(ours.key_tokens),
    )

"""A request as model inputs, and the cost of its run, before any weight is loaded.

Owns the refusals with numbers: what does not fit is said here. Needs a model's processor and config, no more of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from PIL import Image

from attention.environment import is_zero_gpu
from attention.errors import (
    AttentionError,
    InvalidRequest,
    LimitExceeded,
    ModelUnavailable,
    UnsupportedModel,
    quoted,
    shortened,
)
from attention.families.family import Inputs, rendered
from attention.image_entries import SIZES
from attention.limits import Limits
from attention.models import loading as models
from attention.models.config import processor_of, read_config
from attention.models.devices import choose_device, choose_dtype, devices
from attention.models.download import Watch, locate
from attention.models.loading_report import check_files
from attention.models.offered import default_model
from attention.models.quantisation import check_packed, check_quantisation
from attention.request import Request
from attention.runs.partial import PartialRun

from .images import open_image

PLAIN_SIZE = (256, 224)  # of a picture that every processor reads


@dataclass(frozen=True)
class Forecast:
    """Cost of a run, before any model is loaded: tokens with the longest answer, bytes on disk and of memory."""

    tokens: int
    image_tokens: int
    bytes_on_disk: int
    memory_bytes: int
    read_sizes: list[tuple[int, int]]
    notes: list[str] = field(default_factory=list)


@dataclass
class Prepared:
    """Model inputs, the RGB pictures that they were made from, and what was changed in those."""

    inputs: Inputs
    images: list[Image.Image]
    notes: list[str]


def forecast(request: Request, limits: Limits | None = None, watch: Watch | None = None) -> Forecast:
    """Work out the cost of a request, from its processor and the model's config alone; `watch` is told of a download.

    Raises InvalidRequest for inputs that cannot be used, LimitExceeded, with numbers, for what does not fit, and
    ModelUnavailable.
    """
    device = choose_device(request.device)
    limits = limits or Limits.local(device)
    request.validate(limits)
    pictures = open_pictures(request, limits)  # a broken one is said before anything is downloaded
    model_id = request.model or default_model()
    path, _ = locate(model_id, watch=watch)
    config, family = read_config(path, request.model_type)
    if not models.is_kept(path):
        check_files(path, model_id)
        check_quantisation(config, model_id)
        check_packed(path, config, model_id)
    prepared = prepare(request, pictures, family, processor_of(path, family), limits)
    check_image_tokens(config, prepared.inputs)
    return estimate(request, family, config, prepared, path, device, limits)


def download_reporter(partial: PartialRun) -> Watch:
    """Bytes of a download as progress of a run, with which the download stops too."""

    def watch(done: int, total: int) -> None:
        partial.check_cancelled()
        if total:
            partial.report("model", done, total)

    return watch


def open_pictures(request: Request, limits: Limits) -> list[tuple[Image.Image, list[str]]]:
    """A request's pictures as RGB, and what was changed in each. Raises InvalidRequest for one that cannot be read."""
    several = len(request.images) > 1
    return [
        open_image(image, limits.image_pixels, f"image {number}" if several else "the image")
        for number, image in enumerate(request.images, 1)
    ]


def prepare(request: Request, pictures: list, family, processor, limits: Limits) -> Prepared:
    """A request's conversation, around its opened pictures, as model inputs.

    Raises InvalidRequest for what the processor refuses.
    """
    images = [image for image, _ in pictures]
    notes = [note for _, image_notes in pictures for note in image_notes]
    conversation = request.conversation()
    _check_fields(request, processor, conversation)
    _check_sizes(request, family, conversation)
    if request.pan_and_scan:
        if not family.takes_pan_and_scan:
            raise InvalidRequest(
                f"Crops of long pictures (pan & scan) are not made for {family.label}: its processor does not know "
                "them. Leave pan_and_scan (--pan-and-scan) out."
            )
        for entry in (entry for message in conversation for entry in message["content"] if entry["type"] == "image"):
            entry["pan_and_scan"] = True
    try:
        inputs = _within_limits(request, family, processor, conversation, images, limits)
    except ValueError as error:  # the processors refuse with sentences, e.g. an absurd aspect ratio
        _check_reads_anything(family, processor)
        raise InvalidRequest(f"The model's processor refuses this input: {error}") from None
    except ArithmeticError as error:  # sizes of nothing in its settings
        raise ModelUnavailable(
            f"The model's processor cannot work with its settings ({type(error).__name__}: {shortened(str(error))}). "
            "Take preprocessor_config.json and processor_config.json from the model's own repository."
        ) from None
    return Prepared(
        inputs, images, notes + _typed_notes(conversation, family, processor) + _size_notes(conversation, inputs)
    )


def _within_limits(
    request: Request, family, processor, conversation: list[dict], images: list, limits: Limits
) -> Inputs:
    """Model inputs in as many tokens a picture as were asked for, or as are usual here where that is enough."""
    limit, default = request.max_visual_tokens, limits.default_visual_tokens
    if limit is None and default is not None and default < family.visual_token_limit(processor):
        limit = default
    while True:
        try:
            return family.prepare(processor, conversation, images, limit)
        except LimitExceeded as error:
            if request.max_visual_tokens is not None or limit is None:
                raise
            # nobody asked for fewer tokens than the family needs
            limit = error.least if error.least is not None and error.least > limit else None


def _check_reads_anything(family, processor) -> None:
    """Raise ModelUnavailable for a processor that refuses every input: its own files are wrong."""
    content = [{"type": "image"}, {"type": "text", "text": "What is it?"}]
    try:
        family.prepare(processor, [{"role": "user", "content": content}], [Image.new("RGB", PLAIN_SIZE, "grey")], None)
    except ValueError as error:
        raise ModelUnavailable(
            f"The model's processor refuses every picture: {shortened(str(error), 200)} Its files (preprocessor_config"
            ".json, processor_config.json, chat_template.jinja) contradict each other; take them from the model's own "
            "repository."
        ) from None
    except AttentionError:
        return


def _check_fields(request: Request, processor, conversation: list[dict]) -> None:
    """Raise InvalidRequest for fields of a chat that this model's template writes, and that are not read here."""
    more = sorted(
        {
            str(name)
            for message, read in zip(request.messages or (), conversation, strict=False)
            for part, read_part in zip((message, *message["content"]), (read, *read["content"]), strict=True)
            for name in part
            if name not in read_part
        }
    )
    if more and rendered(processor, request.messages) != rendered(processor, conversation):
        raise InvalidRequest(
            f"The messages have {shortened(', '.join(more))}, which the model's chat template would write and which is "
            "not read here. Remove it, or put it into the content."
        )


def _check_sizes(request: Request, family, conversation: list[dict]) -> None:
    """Raise InvalidRequest for a size of an image entry that this model's processor does not take."""
    asked = [name for message in conversation for entry in message["content"] for name in SIZES if name in entry]
    if asked and not family.takes_entry_sizes:
        raise InvalidRequest(
            f"{asked[0]} of an image entry is not read by {family.label}. Remove it, and set the tokens of a picture "
            "with max_visual_tokens (--max-visual-tokens)."
        )
    if asked and request.max_visual_tokens is not None:
        raise InvalidRequest(f"An image entry has {asked[0]}, and max_visual_tokens is given too. Leave one out.")


def _typed_notes(conversation: list[dict], family, processor) -> list[str]:
    """A note on control tokens of the model that somebody typed."""
    texts = [entry["text"] for message in conversation for entry in message["content"] if entry["type"] == "text"]
    typed = [word for word in family.reserved_texts(processor) if any(word in text for text in texts)]
    if not typed:
        return []
    pictures = {getattr(part, "image_token", None) for part in (processor, processor.tokenizer)} & set(typed)
    return [
        f"{shortened(', '.join(typed))} in the prompt is read as text, as typed, not as the model's control token."
        + (" Pictures are put into the conversation by themselves." if pictures else "")
    ]


def _size_notes(conversation: list[dict], inputs: Inputs) -> list[str]:
    """Notes on pictures that the processor, by its own limits, reads in another size than their entries ask."""
    entries = [entry for message in conversation for entry in message["content"] if entry["type"] == "image"]
    notes = []
    for number, (entry, (width, height)) in enumerate(zip(entries, inputs.read_sizes, strict=True), 1):
        area, asked = width * height, [name for name in SIZES if name in entry]
        if len(asked) == 1 and not entry.get("min_pixels", area) <= area <= entry.get("max_pixels", area):
            other = "max_pixels" if asked == ["min_pixels"] else "min_pixels"
            notes.append(
                f"Image {number} is read at {width}x{height} = {area:,} pixels, although its {asked[0]} are "
                f"{entry[asked[0]]:,}: the model's processor has a limit of its own. Give {other} too."
            )
    return notes


def check_image_tokens(config, inputs: Inputs) -> None:
    """Raise UnsupportedModel where the tokenizer writes pictures with other tokens than the model looks for."""
    written = {token for token, cell in zip(inputs.ids, inputs.cells, strict=True) if cell is not None}
    name = next((name for name in ("image_token_id", "image_token_index") if hasattr(config, name)), None)
    if name and written - {getattr(config, name)}:
        raise UnsupportedModel(
            f"The tokenizer of this model writes a picture as token {min(written)}, and config.json has {name} "
            f"{quoted(getattr(config, name))}, so the model would not find its pictures. Take config.json and the "
            "tokenizer's files (tokenizer.json, tokenizer_config.json) from the model's own repository."
        )


def estimate(request, family, config, prepared, path, device, limits, dtype=None) -> Forecast:
    """The cost of inputs that are ready; `dtype` is that of a loaded model. Raises LimitExceeded with the numbers."""
    inputs = prepared.inputs
    if request.mode == "prefill":
        n_answer = 0
    elif request.answer is not None:
        n_answer = len(processor_of(path, family).tokenizer(request.answer, add_special_tokens=False)["input_ids"])
    else:
        n_answer = request.max_new_tokens
    n = len(inputs.ids) + n_answer
    n_visual = sum(cell is not None for cell in inputs.cells)
    longest = getattr(getattr(config, "text_config", config), "max_position_embeddings", None) or limits.tokens
    if n > min(limits.tokens, longest):
        raise LimitExceeded(
            f"This needs {n:,} tokens ({n_visual:,} of images, up to {n_answer:,} of answer); "
            f"the limit is {min(limits.tokens, longest):,}. "
            "Lower max_visual_tokens or the answer's length, or give fewer images."
        )
    wanted = getattr(torch, dtype) if dtype else choose_dtype(request.dtype, device, config)
    item = wanted.itemsize
    shapes = family.towers(config)
    n_patches = len(inputs.keys.get("vision", ()))
    size = dense = 0
    for tower, shape in shapes.items():
        keys = n if tower == "language" else len(inputs.keys.get(tower, ()))
        if not keys or (tower == "vision" and request.vision is False):
            continue
        queries = keys if tower == "vision" else n
        size += len(shape.layers) * (shape.heads * queries + shape.kv_heads * keys) * shape.head_dim * item
        dense += 0 if tower == "vision" else 2 * len(shape.layers) * shape.heads * n * keys
    size += min(dense, limits.rows_bytes)
    if size > limits.run_bytes:
        raise LimitExceeded(
            f"This run would take {size / 1e9:.1f} GB on disk ({n:,} tokens, {n_patches:,} patches); "
            f"the limit is {limits.run_bytes / 1e9:.1f} GB. Lower max_visual_tokens, or leave the vision tower out."
        )
    text = getattr(config, "text_config", config)
    # a layer's activations, the logits of the answer and what waits to be written
    working = n * (8 * text.hidden_size + 3 * getattr(text, "intermediate_size", 4 * text.hidden_size)) * item
    working += (n_answer + 1) * text.vocab_size * 8 + min(size, limits.buffer_bytes)
    weights = 0
    if dtype is None and not models.is_kept(path):
        weights = models.memory_bytes(path, config, wanted)
    available = _available_memory(device)
    if available is not None and weights + working > available:
        raise LimitExceeded(
            f"This needs about {(weights + working) / 1e9:.1f} GB of memory on {device} "
            f"({weights / 1e9:.1f} GB of weights); "
            f"{available / 1e9:.1f} GB are free. Choose a smaller model or dtype bfloat16, or lower max_visual_tokens."
        )
    return Forecast(n, n_visual, size, weights + working, inputs.read_sizes, prepared.notes)


def _available_memory(device: str) -> int | None:
    """Free bytes on the device, or the devices that it stands for, or of the machine."""
    if device.startswith("cuda"):
        if is_zero_gpu() and not torch.cuda.is_initialized():
            return None  # the device exists only inside a job
        return sum(
            torch.cuda.mem_get_info(each)[0] + torch.cuda.memory_reserved(each) - torch.cuda.memory_allocated(each)
            for each in devices(device)
        )
    import psutil

    return psutil.virtual_memory().available

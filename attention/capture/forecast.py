"""The cost of a run, before any weight is loaded.

Owns the refusals with numbers: what does not fit is said here. Needs a model's processor and config, no more of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from attention.environment import is_zero_gpu
from attention.errors import (
    LimitExceeded,
)
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

from .images import Pictures, open_pictures
from .inputs import Prepared, check_image_tokens, prepare
from .videos import check_videos
from .work import Work, work_of

if TYPE_CHECKING:
    from attention.families.family import Family


@dataclass(frozen=True)
class DescribedModel:
    """A model as its config describes it, where it would run and in which number format; it need not be loaded."""

    family: Family
    config: Any
    device: str
    dtype: torch.dtype


@dataclass(frozen=True)
class Forecast:
    """Cost of a run, before any model is loaded: tokens with the longest answer, bytes on disk and of memory."""

    tokens: int
    image_tokens: int
    bytes_on_disk: int
    memory_bytes: int
    read_sizes: list[tuple[int, int]]
    prepared: Prepared = field(repr=False)
    work: Work | None = field(default=None, repr=False)
    model: DescribedModel | None = field(default=None, repr=False)

    @property
    def notes(self) -> list[str]:
        """Notes on how pictures and words are read."""
        return self.prepared.notes


def forecast(
    request: Request, limits: Limits | None = None, watch: Watch | None = None, pictures: Pictures | None = None
) -> Forecast:
    """Work out the cost of a request, from its processor and the model's config alone.

    `watch` is told of a download, and asked while videos are decoded whether to go on.
    `pictures` are those of `open_pictures`, where they are open already; the inputs that are prepared here may be
    passed on to the run. Raises InvalidRequest for inputs that cannot be used, LimitExceeded, with numbers, for what
    does not fit, and ModelUnavailable.
    """
    device = choose_device(request.device)
    limits = limits or Limits.local(device)
    if pictures is None:
        pictures = open_pictures(request, limits)  # a broken one is said before anything is downloaded
    stop = (lambda: watch(0, 0)) if watch else None  # it raises where the work is to stop
    check_videos(request, limits, stop)
    model_id = request.model or default_model()
    path, _ = locate(model_id, watch=watch)
    config, family = read_config(path, request.model_type)
    if not models.is_kept(path):
        check_files(path, model_id)
        check_quantisation(config, model_id)
        check_packed(path, config, model_id)
    prepared = prepare(request, pictures, family, processor_of(path, family), limits, stop)
    check_image_tokens(config, prepared.inputs)
    expected = estimate(request, family, config, prepared, path, device, limits)
    dtype = choose_dtype(request.dtype, device, config)
    size = expected.tokens, expected.bytes_on_disk
    work = work_of(request, prepared.inputs, family, config, path, dtype, *size)
    return replace(expected, work=work, model=DescribedModel(family, config, device, dtype))


def download_reporter(partial: PartialRun) -> Watch:
    """Bytes of a download as progress of a run, with which the download stops too."""

    def watch(done: int, total: int) -> None:
        partial.check_cancelled()
        if total:
            partial.report("model", done, total)

    return watch


def estimate(request, family, config, prepared, path, device, limits, dtype=None) -> Forecast:
    """The cost of inputs that are ready; `dtype` is that of a loaded model. Raises LimitExceeded with the numbers."""
    inputs = prepared.inputs
    if request.mode == "prefill":
        n_answer = 0
    elif request.answer is not None:
        n_answer = len(prepared.processor.tokenizer(request.answer, add_special_tokens=False)["input_ids"])
    else:
        n_answer = request.max_new_tokens
    n = len(inputs.ids) + n_answer
    n_visual = sum(cell is not None for cell in inputs.cells)
    longest = getattr(getattr(config, "text_config", config), "max_position_embeddings", None) or limits.tokens
    apart = max(inputs.n_encoded, n - inputs.n_encoded)  # an encoder and its decoder count positions each by itself
    if n > limits.tokens or apart > longest:
        raise LimitExceeded(
            f"This needs {n:,} tokens ({n_visual:,} of images, up to {n_answer:,} of answer); "
            f"the limit is {min(limits.tokens, longest):,}. "
            f"Lower max_visual_tokens{' or max_frames' * bool(request.videos)} or the answer's length, or give fewer "
            "images."
        )
    wanted = getattr(torch, dtype) if dtype else choose_dtype(request.dtype, device, config)
    item = wanted.itemsize
    shapes = family.towers(config)
    n_patches = len(inputs.keys.get("vision", ()))
    size = dense = 0
    longest_inputs = family.extend(prepared.processor, inputs, [0] * n_answer) if n_answer else inputs
    for tower, shape in shapes.items():
        keys, queries = longest_inputs.key_count(tower), longest_inputs.query_count(tower)
        if not keys or (tower == "vision" and request.vision is False):
            continue
        sizes = [shape.sizes_of(layer) for layer in shape.layers]
        size += sum((shape.heads * queries + kv_heads * keys) * head_dim for kv_heads, head_dim in sizes) * item
        if shape.has_bias:
            size += len(shape.layers) * shape.heads * queries * keys * item
        dense += 0 if tower == "vision" else 2 * len(shape.layers) * shape.heads * queries * keys
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
    available = available_memory(device)
    if available is not None and weights + working > available:
        raise LimitExceeded(
            f"This needs about {(weights + working) / 1e9:.1f} GB of memory on {device} "
            f"({weights / 1e9:.1f} GB of weights); "
            f"{available / 1e9:.1f} GB are free. Choose a smaller model or dtype bfloat16, or lower max_visual_tokens."
        )
    return Forecast(n, n_visual, size, weights + working, inputs.read_sizes, prepared)


def available_memory(device: str) -> int | None:
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

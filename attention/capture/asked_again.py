"""A finished run's question, put to its model again: for readings of the run that are made later.

Owns the way back from run.json to a request, and the proof that the model reads the same token ids. That it also
computes the same, each reading proves by what it computes: without that it would be of another pass than the maps that
it lies beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from attention.errors import CaptureError, InvalidRequest, quoted
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models.devices import inputs_for
from attention.models.kept import LoadedModel
from attention.readings.cost import Cost
from attention.readings.reading import check_asked_again
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .extraction import Adapted, Extraction
from .forecast import DescribedModel
from .images import Pictures
from .inputs import prepare
from .room_for_reading import check_room


@dataclass(frozen=True)
class AskedAgain:
    """A run's model and the sequence that the run has read, for the time of a `with`.

    `ids` are its token ids, `first` is where the answer begins.
    """

    run: Run
    loaded: LoadedModel
    limits: Limits
    inputs: Inputs
    ids: list[int]
    first: int
    tensors: dict[str, torch.Tensor]
    request: Request
    pictures: Pictures

    def logits(self, tensors: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
        """Logits [batch, positions, vocabulary] of the rows that predict the answer, and of what would follow it."""
        kept = slice(self.first - 1, None)
        logits = self.loaded.model(**(tensors or self.tensors), use_cache=False, logits_to_keep=kept).logits
        return logits[:, self.first - 1 - len(self.ids) :]  # some models ignore what is asked of them, and give all

    def with_pictures(self, images: list[Image.Image]) -> dict[str, torch.Tensor]:
        """The same sequence of other pictures of the same sizes, as the model takes it.

        Raises CaptureError where it becomes other tokens.
        """
        family, processor = self.loaded.family, self.loaded.processor
        prepared = prepare(self.request, [(image, []) for image in images], family, processor, self.limits)
        if prepared.inputs.ids != self.ids[: self.first]:
            raise CaptureError(f"{self.loaded.id} reads a picture of the same size as another number of tokens.")
        answer = self.ids[self.first :]
        inputs = family.extend(processor, prepared.inputs, answer) if answer else prepared.inputs
        return inputs_for(self.loaded.model, family, inputs.tensors)

    def other(self, where: str) -> CaptureError:
        """The error for a model that computes something else than the run has."""
        return CaptureError(
            f"{where} than the run has: other weights, another picture, or an adapter that is not on. The run's model "
            f"is {quoted(self.run.info['model']['id'])}."
        )


@contextmanager
def asked_again(
    run: Run,
    partial: PartialRun,
    model=None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
    cost: Cost | None = None,
    about: Sequence[str] | None = None,
) -> Iterator[AskedAgain]:
    """Load the run's model, unless it is given, and prepare the run's sequence for it.

    `cost` is that of what is then computed, `about` the towers that it is about, by default all. Raises LimitExceeded
    where this has no room, CaptureError where the model reads other tokens, InvalidRequest for a run that cannot be
    asked again, and what `extract` raises.
    """
    check_adapter(run, model, adapted)
    check_asked_again(run, about)
    request, limits = request_of(run), limits and limits.of_kept_pictures()
    with (
        Extraction(request, partial, model, limits, is_differentiated=True) as extraction,
        adapted(extraction.loaded) if adapted else nullcontext(),
        _stopping(extraction.loaded, partial.check_cancelled),
    ):
        loaded, first = extraction.loaded, extraction.n_prompt
        if loaded.dtype != run.info["model"]["dtype"]:
            raise CaptureError(
                f"The model computes in {loaded.dtype} and the run's did in {run.info['model']['dtype']}: what is "
                "computed now would be of another pass. Load it in the run's dtype."
            )
        if cost is not None:
            dtype = getattr(torch, loaded.dtype)
            described = DescribedModel(loaded.family, loaded.model.config, loaded.device, dtype)
            check_room(run, cost, described, extraction.limits, place=partial.folder)
        ids = [token["id"] for token in run.info["tokens"]]
        prepared = extraction.prepared.inputs
        if first != run.info["prompt_tokens"] or prepared.ids != ids[:first]:
            raise CaptureError(
                f"{loaded.id} reads this run's question as other tokens than the run has: another version of the "
                "model or of its processor. Make the run anew."
            )
        inputs = loaded.family.extend(loaded.processor, prepared, ids[first:]) if ids[first:] else prepared
        tensors, pictures = extraction.on_device(inputs), extraction.prepared.pictures
        yield AskedAgain(run, loaded, extraction.limits, inputs, ids, first, tensors, request, pictures)


def check_adapter(run: Run, model=None, adapted: Adapted | None = None) -> None:
    """Raise InvalidRequest for a run with an adapter where there is nothing to ask with it."""
    if run.info.get("adapter") is not None and model is None and adapted is None:
        raise InvalidRequest(
            f"This run was made with adapter {quoted(run.info['adapter']['id'])}; pass the adapted model."
        )


@contextmanager
def _stopping(loaded: LoadedModel, stop: Callable[[], None]) -> Iterator[None]:
    """Ask before every layer of every pass whether it is to stop."""
    with ExitStack() as held:
        for layers in loaded.family.attention_modules(loaded.model).values():
            for module in layers.values():
                held.callback(module.register_forward_pre_hook(lambda *_: stop()).remove)
        yield


def request_of(run: Run) -> Request:
    """The request that a run came from, its pictures as they lie in its folder, which is its video too.

    Raises InvalidRequest for a run of several videos, whose frames are not kept apart.
    """
    info = run.info
    if len(info.get("videos") or ()) > 1:
        raise InvalidRequest("This run is of several videos, which are not kept apart: ask about a run of one.")
    if "messages" not in info or info.get("prompt_tokens") is None:
        raise InvalidRequest("run.json does not say what was asked, so it cannot be asked again.")
    dtype, n_answer = info["model"]["dtype"], len(info["tokens"]) - info["prompt_tokens"]
    fields: dict[str, Any] = {
        "max_visual_tokens": info.get("max_visual_tokens"),
        "pan_and_scan": bool(info.get("pan_and_scan")),
        "vision": "vision" in info["towers"],
        "max_new_tokens": min(max(n_answer, 1), Limits().new_tokens),  # no more have room to be found
        "dtype": dtype if dtype in ("float32", "bfloat16", "float16") else "auto",
    }
    images = tuple(run.folder / image["file"] for image in info["images"] if "video" not in image)
    videos = (run.folder,) if info.get("videos") else ()
    return Request(images=images, videos=videos, messages=info["messages"], model=info["model"]["id"], **fields)

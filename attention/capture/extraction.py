"""From a request to a run: inputs, answer, one capturing forward pass, a committed folder.

Owns the order of the steps. What a model family's tokens are it asks the family; which rows are kept says `plan`, how
attention is caught is left to `recorder`, what is written of it to `run_json`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from attention.environment import new_run_folder
from attention.errors import (
    Cancelled,
    InvalidRequest,
    NotFinite,
    OutOfMemory,
    quoted,
    shown_path,
    words_for,
)
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models import loading as models
from attention.models.devices import devices, inputs_for
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.offered import default_model
from attention.request import Request, gather_images
from attention.runs import tokens
from attention.runs.partial import REMOVED, PartialRun
from attention.runs.run import Run
from attention.runs.temporary import TemporaryRun, temporary_place

from .answering import NotItsOwn, answer_notes, without_pictures, written
from .called_with import check_fields, check_request_alone, of_words, own, prepared_for, with_processor
from .crossed import Other, crossed
from .exact_rows import not_finite
from .failures import MODEL_FAILURES, broken_weight, fails_by_itself, is_finite
from .forecast import download_reporter, estimate
from .given import Said, is_prepared
from .images import Pictures, open_pictures
from .in_use import in_use
from .inputs import Prepared, check_image_tokens, prepare
from .plan import plan_towers
from .recorder import Capture
from .run_json import run_json, save_images
from .videos import check_videos


def extract(
    request: Request | str | list | Mapping,
    folder: str | os.PathLike | None = None,
    model=None,
    limits: Limits | None = None,
    *,
    processor=None,
    images=(),
    messages: list[dict] | None = None,
    output_dir: str | os.PathLike | None = None,
    **fields,
) -> Run:
    """Run a model on a request and keep its attention in `folder`, which becomes the run's.

    Instead of a `Request` it may be given words (a question as text, or a chat in role/content form) with their
    `images`, or inputs that a processor has prepared (a BatchFeature, or what `apply_chat_template` returns with
    `tokenize=True, return_dict=True`), with the `images` and `messages` that they were made of, as far as these are
    there. `fields` are then those of a Request by name (`answer`, `mode`, ...).

    Without a folder, words and prepared inputs make a run in a temporary one, which goes when the run is closed or no
    longer used (`run.keep(folder)` keeps it); a Request makes one in the library of `python app.py`, below your cache
    folder (`run.folder` names it), which stays until you delete it.

    `model` is the caller's own (transformers or PEFT-wrapped) with its `processor`, also as `(model, processor)`, or
    with that of the folder that it was loaded from; or one from `models.load`. It is found as it was, also after an
    error. By default the request's model is loaded, and kept for the next call. `output_dir` is the folder by its older
    name. Raises AttentionError with a sentence that says what to do; nothing is left behind then.
    """
    folder = output_dir if folder is None else folder
    if processor is not None:
        model = with_processor(model, processor)
    if isinstance(request, Request):
        check_request_alone({**fields, "images": images, "messages": messages})
        pictures = open_pictures(request, limits or Limits())
        partial = PartialRun.create(new_run_folder() if folder is None else folder)
        return Run(fill(request, partial, model, limits, pictures=pictures))
    check_fields(fields)
    given: dict[str, Any]
    if is_prepared(request):
        said = Said(messages, Request(images=images).images, fields)
        model, limits, asked, prepared = prepared_for(request, said, model, limits)
        given = {"prepared": prepared}
    else:
        asked = of_words(request, images, messages, fields)
        given = {"pictures": open_pictures(asked, limits or Limits())}
    if folder is not None:
        return Run(fill(asked, PartialRun.create(folder), model, limits, **given))
    place = temporary_place()
    try:
        return TemporaryRun(fill(asked, PartialRun.create(place), model, limits, **given))
    except BaseException:
        shutil.rmtree(place.parent, ignore_errors=True)
        raise


Adapted = Callable[[LoadedModel], AbstractContextManager[dict | None]]


def fill(
    request: Request,
    partial: PartialRun,
    model=None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
    prepared: Prepared | None = None,
    pictures: Pictures | None = None,
    written: list[int] | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished run's folder, or leaves none.

    `adapted` switches an adapter on for the time of a `with`, and gives what run.json says of it. `prepared` are inputs
    that a forecast has made of this request, `pictures` its opened pictures: what is given is not made again. `written`
    are the ids of the model's own answer where others were written with it; raises NotItsOwn where it is not.
    """
    with all_or_nothing(partial):
        if request.adapter is not None and model is None and adapted is None:
            raise InvalidRequest(
                f"Adapter {quoted(request.adapter)} must be attached to a model first; pass the adapted model."
            )
        with (
            Extraction(request, partial, model, limits, prepared, pictures) as extraction,
            adapted(extraction.loaded) if adapted else nullcontext(_caller_says(request, model)) as adapter,
        ):
            if written is not None:
                return extraction.keep(partial, written, adapter, is_proved=True)
            return extraction.keep(partial, extraction.answer(), adapter)


@contextmanager
def all_or_nothing(partial: PartialRun) -> Iterator[None]:
    """Leave nothing of the folder where what is done in the `with` fails.

    PyTorch's lack of memory becomes ours, and whatever fails because somebody removed the folder a stop.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        partial.discard()
        raise OutOfMemory from None
    except Exception as error:
        is_gone = not partial.folder.exists() and not partial.final.exists()
        partial.discard()
        if is_gone and not isinstance(error, Cancelled):
            raise Cancelled(REMOVED) from None
        raise
    except BaseException:
        partial.discard()
        raise


def _caller_says(request: Request, model) -> dict | None:
    """Record of the adapter that a caller's own model carries: the name that the request gives it."""
    if request.adapter is None or model is None:
        return None
    return {"id": request.adapter, "revision": None, "sha256": None, "scale": request.adapter_scale}


class Extraction:
    """A model and the inputs of one request, held for the time of a `with`: answers and runs are made of them.

    While it is held nothing else in this process uses a model. `partial` is where progress is told and a stop is asked
    for; the runs may go elsewhere.
    """

    def __init__(
        self,
        request: Request,
        partial: PartialRun,
        model=None,
        limits: Limits | None = None,
        prepared: Prepared | None = None,
        pictures: Pictures | None = None,
        is_differentiated: bool = False,
    ):
        """`is_differentiated` keeps the model's tensors fit for a backward pass."""
        self.request, self.partial = request, partial
        self._is_differentiated = is_differentiated
        self._model, self._limits = model, limits
        self._given = prepared
        self._pictures = pictures if prepared is None else prepared.pictures
        self._timings_ms: dict[str, float] = {}
        self._held = ExitStack()

    def __enter__(self) -> Extraction:
        try:
            self._enter()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *error) -> None:
        self._held.close()

    def _enter(self) -> None:
        partial, hold = self.partial, self._held.enter_context
        partial.report("queue")
        if self._pictures is None:
            self._pictures = open_pictures(self.request, self._limits or Limits())
        if self._given is None:
            check_videos(self.request, self._limits or Limits(), partial.check_cancelled)
        while not INFERENCE.acquire(timeout=0.05):
            partial.check_cancelled()
        self._held.callback(INFERENCE.release)
        partial.check_cancelled()
        partial.report("model")
        self.loaded = self._timed("model", lambda: self._load(self._model))
        self.limits = self._limits or Limits.local(self.loaded.device)
        partial.check_cancelled()
        hold(in_use(self.loaded, self._is_differentiated))
        partial.report("inputs")
        self.prepared = self._timed("inputs", lambda: self._inputs(self.loaded, self.limits))
        partial.check_cancelled()

    @property
    def n_prompt(self) -> int:
        """Number of tokens of the prompt."""
        return len(self.prepared.inputs.ids)

    def on_device(self, inputs: Inputs) -> dict[str, torch.Tensor]:
        """Inputs as the model takes them, on its devices."""
        return inputs_for(self.loaded.model, self.loaded.family, inputs.tensors)

    def answer(self) -> list[int]:
        """The answer's token ids: none in prefill, the caller's text, or what the model says, greedily."""
        return self._timed("answer", lambda: self._answer(self.loaded, self.prepared.inputs))

    def text(self, answer_ids: list[int]) -> str:
        """An answer as it is shown."""
        text = self.loaded.family.text(self.loaded.processor.tokenizer, answer_ids)
        return text.replace(tokens.REPLACEMENT, tokens.SUBSTITUTE)

    def spelled(self, answer_ids: list[int]) -> list[dict[str, str]]:
        """An answer as {text, role}, control tokens and thoughts too, piece by piece of one role."""
        inputs, processor = self.prepared.inputs, self.loaded.processor
        roles = self.loaded.family.extend(processor, inputs, answer_ids).roles[self.n_prompt :] if answer_ids else []
        pieces: list[tuple[str, list[int]]] = []
        for token, role in zip(answer_ids, roles, strict=True):
            if not pieces or pieces[-1][0] != role:
                pieces.append((role, []))
            pieces[-1][1].append(token)
        return [{"role": role, "text": processor.tokenizer.decode(ids)} for role, ids in pieces]

    def keep(
        self,
        partial: PartialRun,
        answer_ids: list[int],
        adapter: dict | None = None,
        is_forced: bool | None = None,
        is_proved: bool = False,
        other: Other | None = None,
    ) -> Path:
        """Read prompt and answer in one pass that keeps its attention, and commit the run; return its folder.

        `adapter` is what run.json says of the adapter that is switched on, with the `notes` that it adds to the run's;
        `is_forced` whether the answer is not the model's own, by default as the request has it. With `is_proved` the
        pass must itself find each token of the answer the most probable; raises NotItsOwn where it does not. With
        `other` the attention is what each layer would make of its inputs with the weights that the model has within
        `other()`.
        """
        loaded, inputs = self.loaded, self.prepared.inputs
        if answer_ids:
            inputs = loaded.family.extend(loaded.processor, inputs, answer_ids)
        if not self._keeps_vision(inputs):
            inputs = inputs.without("vision")
        capture, logprobs = self._timed("capture", lambda: self._capture(partial, inputs, is_proved, other))
        self.partial.report("write")
        save_images(partial.folder, self.prepared.images)
        answer = self.text(inputs.ids[self.n_prompt :]) if self.request.mode == "generate" else ""
        info = run_json(
            partial.folder,
            self.request,
            loaded,
            self.prepared,
            inputs,
            capture,
            answer=answer,
            logprobs=logprobs,
            adapter=adapter,
            is_forced=self.request.answer is not None if is_forced is None else is_forced,
            timings_ms=self._timings_ms,
            notes=answer_notes(self.request, loaded, inputs.ids[self.n_prompt :], inputs.roles[self.n_prompt :]),
        )
        return partial.commit(info)

    def _timed(self, name: str, step: Callable):
        start = time.perf_counter()
        result = step()
        self._timings_ms[name] = round((time.perf_counter() - start) * 1000, 1)
        return result

    def _load(self, model) -> LoadedModel:
        request = self.request
        if model is not None:
            return own(model, request.model_type)
        return models.load(
            request.model or default_model(),
            request.device,
            request.dtype,
            request.model_type,
            download_reporter(self.partial),
        )

    def _inputs(self, loaded, limits) -> Prepared:
        prepared = self._given
        assert self._pictures is not None  # opened as it was entered
        if prepared is None or not prepared.is_made_by(loaded.processor, limits):
            with models.fitting(loaded.processor, loaded.family) if loaded.lent is not None else nullcontext():
                stop = self.partial.check_cancelled
                prepared = prepare(self.request, self._pictures, loaded.family, loaded.processor, limits, stop)
        check_image_tokens(loaded.model.config, prepared.inputs)
        estimate(
            self.request, loaded.family, loaded.model.config, prepared, loaded.path, loaded.device, limits, loaded.dtype
        )
        return prepared

    def _answer(self, loaded, inputs) -> list[int]:
        request, tokenizer = self.request, loaded.processor.tokenizer
        if request.mode == "prefill":
            return []
        if request.answer is not None:
            ids = tokenizer(request.answer, add_special_tokens=False)["input_ids"]
            return without_pictures(ids, inputs, loaded)
        try:
            ids = written(request, self.partial, inputs, loaded)
        except NotFinite:
            self._capture(self.partial, inputs)  # the pass that says which layer it is
            raise not_finite("The model's output layer", next(loaded.model.parameters()).dtype) from None
        return without_pictures(ids, inputs, loaded)

    def _capture(self, partial, inputs, is_proved=False, other: Other | None = None) -> tuple[Capture, list[float]]:
        loaded, limits, n_prompt = self.loaded, self.limits, self.n_prompt
        plans = plan_towers(loaded, inputs, n_prompt, self._keeps_vision(inputs), limits)
        total = sum(len(plan.modules) for plan in plans.values())
        if loaded.device.startswith("cuda"):
            for device in devices(loaded.device):
                torch.cuda.reset_peak_memory_stats(device)
        self.partial.report("capture", 0, total)
        n_answer = len(inputs.ids) - n_prompt
        # not as a number: of queries without a logit some models then leave out what other queries do not read
        predicting = slice(n_prompt - 1 - inputs.n_encoded, None)
        try:
            with (
                Capture(partial.folder, plans, limits.buffer_bytes, self.partial.steps("capture", total)) as capture,
                nullcontext() if other is None else crossed(capture, loaded.model, plans, other),
            ):
                output = loaded.model(**self.on_device(inputs), use_cache=False, logits_to_keep=predicting)
            if not is_finite(output.logits):
                raise not_finite("The model's output layer", output.logits.dtype)
        except NotFinite as error:
            broken = broken_weight(loaded.model)
            raise NotFinite(
                f"{error} The weight {broken} itself holds such numbers." if broken else str(error)
            ) from None
        except MODEL_FAILURES as error:
            if words_for(error) is None:
                self._check_runs(inputs)
            raise
        logits = output.logits[0, -n_answer - 1 : -1].float()  # some models ignore what is asked of them, and give all
        targets = torch.tensor(inputs.ids[n_prompt:], device=logits.device)
        if is_proved and n_answer and not torch.equal(logits.argmax(dim=-1), targets):
            raise NotItsOwn("The model would write another answer by itself.")
        logprobs = torch.log_softmax(logits, dim=-1).gather(-1, targets[:, None])[:, 0].tolist() if n_answer else []
        return capture, logprobs

    def _check_runs(self, inputs) -> None:
        """Raise ModelUnavailable where the model fails on these inputs without any capture."""
        try:
            self.loaded.model(**self.on_device(inputs), use_cache=False, logits_to_keep=1)
        except MODEL_FAILURES as error:
            raise fails_by_itself(error) from error

    def _keeps_vision(self, inputs) -> bool:
        return self.request.vision is not False and bool(inputs.keys.get("vision"))


def read_messages(file: str | os.PathLike, images: list) -> tuple[list[dict], list]:
    """A chat from a JSON file, for Request(messages=..., images=...); image entries name paths relative to the file.

    Raises InvalidRequest when the file is missing or is no such chat.
    """
    path = Path(file)
    try:
        messages = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin with a byte order mark
    except OSError as error:
        raise InvalidRequest(f"{shown_path(path)} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{shown_path(path)} is not written in UTF-8. Save it in that encoding.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{shown_path(path)} is not JSON: {error}.") from None
    return gather_images(messages, images, path.parent)

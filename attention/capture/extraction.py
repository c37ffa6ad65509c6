"""From a request to a run: inputs, answer, one capturing forward pass, a committed folder.

Owns the order of the steps. What a model family's tokens are it asks the family; which rows are kept says `plan`, how
attention is caught is left to `recorder`, what is written of it to `run_json`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from attention.environment import new_run_folder
from attention.errors import (
    InvalidRequest,
    ModelUnavailable,
    NotFinite,
    OutOfMemory,
    quoted,
    shortened,
    shown_path,
    words_for,
)
from attention.families.family import Inputs
from attention.limits import Limits
from attention.models import loading as models
from attention.models.devices import devices, inputs_for
from attention.models.download import cause_of
from attention.models.hook import attention_of
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.offered import default_model
from attention.models.undisturbed import undisturbed
from attention.request import Request, gather_images
from attention.runs import tokens
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.runs.temporary import TemporaryRun, temporary_place

from .called_with import check_fields, check_request_alone, of_words, own, prepared_for, with_processor
from .exact_rows import not_finite
from .forecast import download_reporter, estimate
from .given import Said, is_prepared
from .images import Pictures, open_pictures
from .inputs import Prepared, check_image_tokens, prepare
from .plan import plan_towers
from .recorder import Capture
from .run_json import run_json, save_images

SHOWN = 20  # characters of a text
MODEL_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)  # of its own code


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
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished run's folder, or leaves none.

    `adapted` switches an adapter on for the time of a `with`, and gives what run.json says of it. `prepared` are inputs
    that a forecast has made of this request, `pictures` its opened pictures: what is given is not made again.
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
            return extraction.keep(partial, extraction.answer(), adapter)


@contextmanager
def all_or_nothing(partial: PartialRun) -> Iterator[None]:
    """Leave nothing of the folder where what is done in the `with` fails. PyTorch's lack of memory becomes ours."""
    try:
        yield
    except torch.OutOfMemoryError:
        partial.discard()
        raise OutOfMemory from None
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
    ):
        self.request, self.partial = request, partial
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
        while not INFERENCE.acquire(timeout=0.05):
            partial.check_cancelled()
        self._held.callback(INFERENCE.release)
        partial.check_cancelled()
        partial.report("model")
        self.loaded = self._timed("model", lambda: self._load(self._model))
        self.limits = self._limits or Limits.local(self.loaded.device)
        partial.check_cancelled()
        lent = self.loaded.lent
        if lent is not None:
            hold(undisturbed(lent))
        hold(attention_of(self.loaded.model))
        hold(torch.no_grad() if lent is not None else torch.inference_mode())  # its owner may train with what it caches
        hold(torch.autocast(torch.device(self.loaded.device).type, enabled=False))  # rows are computed in float32
        partial.report("inputs")
        self.prepared = self._timed("inputs", lambda: self._inputs(self.loaded, self.limits))
        partial.check_cancelled()

    @property
    def n_prompt(self) -> int:
        """Number of tokens of the prompt."""
        return len(self.prepared.inputs.ids)

    def answer(self) -> list[int]:
        """The answer's token ids: none in prefill, the caller's text, or what the model says, greedily."""
        return self._timed("answer", lambda: self._answer(self.loaded, self.prepared.inputs))

    def text(self, answer_ids: list[int]) -> str:
        """An answer as it is shown."""
        tokenizer = self.loaded.processor.tokenizer
        return tokenizer.decode(answer_ids, skip_special_tokens=True).replace(tokens.REPLACEMENT, tokens.SUBSTITUTE)

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
    ) -> Path:
        """Read prompt and answer in one pass that keeps its attention, and commit the run; return its folder.

        `adapter` is what run.json says of the adapter that is switched on, with the `notes` that it adds to the run's;
        `is_forced` whether the answer is not the model's own, by default as the request has it.
        """
        loaded, inputs = self.loaded, self.prepared.inputs
        if answer_ids:
            inputs = loaded.family.extend(loaded.processor, inputs, answer_ids)
        if not self._keeps_vision(inputs):
            inputs = inputs.without("vision")
        capture, logprobs = self._timed("capture", lambda: self._capture(partial, inputs))
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
            notes=[*self._spelling_notes(inputs.ids[self.n_prompt :]), *self._thought_notes(inputs.roles)],
        )
        return partial.commit(info)

    def _spelling_notes(self, answer_ids: list[int]) -> list[str]:
        """A note where the tokens of an answer that was given spell another text."""
        given = self.request.answer
        if given is None:
            return []
        tokenizer = self.loaded.processor.tokenizer
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

    def _thought_notes(self, roles: list[str]) -> list[str]:
        """A note where a given answer is all thought: its template begins with one, and nothing in it ends that."""
        said = set(roles[self.n_prompt :]) - {"special"}
        if self.request.answer is None or said != {"thinking"}:
            return []
        return [
            "This model's chat template begins an answer with a thought, and the answer that was given does not end "
            "it: all of it is read as a thought, in which no places are looked for. Put </think> before the answer."
        ]

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
                prepared = prepare(self.request, self._pictures, loaded.family, loaded.processor, limits)
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
            return _without_pictures(ids, inputs, loaded)
        from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

        n_prompt, partial = len(inputs.ids), self.partial

        class Watch(StoppingCriteria):
            """Called after every token: reports it, and stops the job when it was cancelled."""

            def __call__(self, ids, scores, **_):
                partial.check_cancelled()
                said = ids[0, n_prompt:].tolist()
                partial.report(
                    "answer", len(said), request.max_new_tokens, tokenizer.decode(said, skip_special_tokens=True)
                )
                return torch.zeros(1, dtype=torch.bool, device=ids.device)

        class Finite(LogitsProcessor):
            """Looks at the logits of the first token: what follows from NaN is no answer."""

            def __call__(self, ids, scores):
                if ids.shape[1] == n_prompt and not _is_finite(scores):
                    raise NotFinite
                return scores

        partial.report("answer", 0, request.max_new_tokens, "")
        try:
            ids = self._generate(inputs, LogitsProcessorList([Finite()]), StoppingCriteriaList([Watch()]))
        except NotFinite:
            self._capture(partial, inputs)  # the pass that says which layer it is
            raise not_finite("The model's output layer", next(loaded.model.parameters()).dtype) from None
        except MODEL_FAILURES as error:
            raise _fails_by_itself(error) from error
        return _without_pictures(ids[0, n_prompt:].tolist(), inputs, loaded)

    def _generate(self, inputs, logits_processor, stopping_criteria) -> torch.Tensor:
        """Token ids [1, tokens] of the prompt and the model's own answer, said greedily."""
        request, loaded = self.request, self.loaded
        return loaded.model.generate(
            **_on(inputs.tensors, loaded),
            max_new_tokens=request.max_new_tokens,
            return_dict_in_generate=False,
            num_beams=1,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
        )

    def _capture(self, partial, inputs) -> tuple[Capture, list[float]]:
        loaded, limits, n_prompt = self.loaded, self.limits, self.n_prompt
        plans = plan_towers(loaded, inputs, n_prompt, self._keeps_vision(inputs), limits)
        total, done = sum(len(plan.modules) for plan in plans.values()), 0

        def on_layer(tower: str, layer: int) -> None:
            nonlocal done
            done += 1
            self.partial.check_cancelled()
            self.partial.report("capture", done, total)

        if loaded.device.startswith("cuda"):
            for device in devices(loaded.device):
                torch.cuda.reset_peak_memory_stats(device)
        self.partial.report("capture", 0, total)
        n_answer = len(inputs.ids) - n_prompt
        # not as a number: of queries without a logit some models then leave out what other queries do not read
        predicting = slice(n_prompt - 1, None)
        try:
            with Capture(partial.folder, plans, limits.buffer_bytes, on_layer) as capture:
                output = loaded.model(**_on(inputs.tensors, loaded), use_cache=False, logits_to_keep=predicting)
            if not _is_finite(output.logits):
                raise not_finite("The model's output layer", output.logits.dtype)
        except NotFinite as error:
            broken = _broken_weight(loaded.model)
            raise NotFinite(
                f"{error} The weight {broken} itself holds such numbers." if broken else str(error)
            ) from None
        except MODEL_FAILURES as error:
            if words_for(error) is None:
                self._check_runs(inputs)
            raise
        logits = output.logits[0, :-1].float()
        targets = torch.tensor(inputs.ids[n_prompt:], device=logits.device)
        logprobs = torch.log_softmax(logits, dim=-1).gather(-1, targets[:, None])[:, 0].tolist() if n_answer else []
        return capture, logprobs

    def _check_runs(self, inputs) -> None:
        """Raise ModelUnavailable where the model fails on these inputs without any capture."""
        try:
            self.loaded.model(**_on(inputs.tensors, self.loaded), use_cache=False, logits_to_keep=1)
        except MODEL_FAILURES as error:
            raise _fails_by_itself(error) from error

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


def _without_pictures(answer_ids: list[int], inputs: Inputs, loaded: LoadedModel) -> list[int]:
    """The answer as it is.

    Raises InvalidRequest when it has a token with which the input holds a picture's cells, or one that the model's
    head cannot write: Llama 3.2 Vision's for a picture.
    """
    n_written = loaded.model.get_output_embeddings().weight.shape[0]
    of_pictures = {token for token, cell in zip(inputs.ids, inputs.cells, strict=True) if cell is not None}
    found = next((token for token in answer_ids if token in of_pictures or token >= n_written), None)
    if found is not None:
        raise InvalidRequest(
            f"The answer contains {loaded.processor.tokenizer.decode([found])}, which stands for a part of a picture, "
            "so the model cannot read it again. Give an answer without it."
        )
    return answer_ids


def _broken_weight(model: torch.nn.Module) -> str | None:
    """The name of the first weight that holds a number that is not finite."""
    weights = ((name, weight) for name, weight in model.named_parameters() if weight.is_floating_point())
    return next((name for name, weight in weights if not (weight.is_meta or weight.isfinite().all())), None)


def _fails_by_itself(error: Exception) -> Exception:
    """The error to raise for one that the model's own code raised; those that have words of their own stay."""
    if words_for(error) is not None:
        return error
    return ModelUnavailable(
        f"The model's own code fails on this input ({shortened(cause_of(error), 200)}). Its config.json, "
        "generation_config.json, or the files of its processor may not belong to its weights."
    )


def _is_finite(logits: torch.Tensor) -> bool:
    """True for logits [..., vocabulary] that are numbers; minus infinity rules a token out, and is one."""
    return not bool((logits.isnan() | logits.isposinf()).any())


def _on(tensors, loaded) -> dict[str, torch.Tensor]:
    return inputs_for(loaded.model, loaded.family, tensors)

"""A finished run's question, put to its model again: for a reading that lies beside the run.

Owns the way back from run.json to a request, and the proof that the model reads what it read: the same token ids, and
the queries and keys that the run has. Without that proof a reading would be of another pass than the maps it is beside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from attention.errors import CaptureError, InvalidRequest, quoted
from attention.limits import Limits
from attention.readings.forecast import KIND, Forecast
from attention.readings.reading import FORMAT, INDEX, readings_folder
from attention.readings.target import Target
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .backward import Differentiable, PassedLayer, frozen, value_of, write_gradients
from .called_with import with_processor
from .extraction import Adapted, Extraction, all_or_nothing
from .plan import plan_towers

# how far queries and keys may lie from the run's, over their norm: of float32, and of 16 bits on another device
EQUAL, EQUAL_16 = 1e-4, 2e-2


def forecast_knock_outs(
    run: Run,
    tokens: int | Sequence[int] | None = None,
    against: int | None = None,
    *,
    towers: Sequence[str] = ("language",),
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: str | os.PathLike | None = None,
) -> Forecast:
    """Forecast what an answer's log-probability would lose if places or heads of a run were not read.

    One forward and one backward pass of the run's model, which is loaded by its name unless the caller gives it (as to
    `extract`). `tokens` are positions of the answer (default: all of it); with `against`, an id of the vocabulary, the
    difference of two logits is asked about. `towers` are those whose layers are differentiated. The result lies beside
    the run, and is found there when it is asked for again.

    Raises InvalidRequest for a token that is none of the answer, CaptureError where the model does not read what the
    run says, and what `extract` raises.
    """
    target = Target.of(run, tokens, against)
    towers = _towers(run, towers)
    place = readings_folder(run) / target.name(KIND, towers) if folder is None else Path(folder)
    if (place / INDEX).is_file():
        return Forecast(run, place)
    model = with_processor(model, processor) if processor is not None else model
    partial = PartialRun.create(place)
    return Forecast(run, fill_forecast(run, target, towers, partial, model, limits))


def fill_forecast(
    run: Run,
    target: Target,
    towers: Sequence[str],
    partial: PartialRun,
    model=None,
    limits: Limits | None = None,
    adapted: Adapted | None = None,
) -> Path:
    """The whole job, into a folder that the caller has made; returns the finished reading's folder, or leaves none."""
    with all_or_nothing(partial):
        request = request_of(run)
        if run.info.get("adapter") is not None and model is None and adapted is None:
            raise InvalidRequest(
                f"This run was made with adapter {quoted(run.info['adapter']['id'])}; pass the adapted model."
            )
        with Extraction(request, partial, model, limits, is_differentiated=True) as extraction:
            if adapted is None:
                return _filled(run, target, towers, partial, extraction)
            with adapted(extraction.loaded):
                return _filled(run, target, towers, partial, extraction)


def request_of(run: Run) -> Request:
    """The request that a run came from, its pictures as they lie in its folder.

    Raises InvalidRequest for a run with a video: the frames that were read are there, the video is not.
    """
    info = run.info
    if info.get("videos"):
        raise InvalidRequest("This run is of a video, and a video cannot be asked about again. Ask about pictures.")
    if "messages" not in info or info.get("prompt_tokens") is None:
        raise InvalidRequest("run.json does not say what was asked, so it cannot be asked again.")
    has_answer = len(info["tokens"]) > info["prompt_tokens"]
    return Request(
        images=tuple(run.folder / image["file"] for image in info["images"]),
        messages=info["messages"],
        model=info["model"]["id"],
        mode="generate" if has_answer else "prefill",
        max_visual_tokens=info.get("max_visual_tokens"),
        pan_and_scan=bool(info.get("pan_and_scan")),
        dtype=info["model"]["dtype"] if info["model"]["dtype"] in ("float32", "bfloat16", "float16") else "auto",
    )


def _towers(run: Run, towers: Sequence[str]) -> list[str]:
    unknown = [tower for tower in towers if tower not in run.towers()]
    if unknown or not towers:
        has = ", ".join(run.towers())
        raise InvalidRequest(f"There is no tower {quoted(unknown[0] if unknown else '')} in this run; it has {has}.")
    return [tower for tower in run.towers() if tower in towers]


def _filled(run: Run, target: Target, towers: Sequence[str], partial: PartialRun, extraction: Extraction) -> Path:
    loaded, first = extraction.loaded, extraction.n_prompt
    ids = [token["id"] for token in run.info["tokens"]]
    if first != run.info["prompt_tokens"] or extraction.prepared.inputs.ids != ids[:first]:
        raise CaptureError(
            f"{loaded.id} reads this run's question as other tokens than the run has: another version of the model or "
            "of its processor. Make the run anew."
        )
    vocabulary = loaded.model.get_output_embeddings().weight.shape[0]
    if target.against is not None and target.against >= vocabulary:
        raise InvalidRequest(f"The other token is {target.against}; the model's vocabulary has {vocabulary:,} tokens.")
    inputs = loaded.family.extend(loaded.processor, extraction.prepared.inputs, ids[first:])
    plans = plan_towers(loaded, inputs, first, "vision" in towers, extraction.limits)
    plans = {name: plan for name, plan in plans.items() if name in towers}
    total, done = sum(len(plan.modules) for plan in plans.values()), 0

    def on_layer(tower: str, layer: int) -> None:
        nonlocal done
        done += 1
        partial.check_cancelled()
        partial.report("capture", done, total)

    began = time.perf_counter()
    with torch.inference_mode(False), torch.enable_grad(), frozen(loaded.model):
        with Differentiable(plans, on_layer) as passed:
            output = loaded.model(
                **extraction.on_device(inputs), use_cache=False, logits_to_keep=slice(first - 1, None)
            )
        difference = _check_same(run, passed.passed)
        value = value_of(target, output.logits[0], ids, first)
        partial.check_cancelled()
        records = write_gradients(passed.passed, value, partial.folder)
    partial.report("write")
    return partial.commit(
        {
            "format": FORMAT,
            "kind": KIND,
            "run": run.info["id"],
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "target": target.to_dict(),
            "value": float(value.detach()),
            "towers": records,
            "difference": difference,
            "bytes": sum(file.stat().st_size for file in partial.folder.rglob("*.safetensors")),
            "seconds": round(time.perf_counter() - began, 3),
        },
        INDEX,
    )


def _check_same(run: Run, passed: dict[str, list[PassedLayer]]) -> float:
    """The largest difference of queries and keys from the run's, over their norm.

    Raises CaptureError above rounding.
    """
    largest = 0.0
    for tower, layers in passed.items():
        for layer in layers:
            for name in ("query", "key"):
                kept = torch.from_numpy(run.factor(name, layer.index, tower))
                now = layer.joined(name).float().cpu()
                if kept.shape != now.shape:
                    raise _other(run, tower, layer.index)
                away = float(torch.linalg.vector_norm(now - kept) / torch.linalg.vector_norm(kept).clamp(min=1e-30))
                if not away <= (EQUAL if run.info["model"]["dtype"] == "float32" else EQUAL_16):
                    raise _other(run, tower, layer.index)
                largest = max(largest, away)
    return largest


def _other(run: Run, tower: str, layer: int) -> CaptureError:
    return CaptureError(
        f"Layer {layer} of the {tower} tower now has other queries and keys than the run: other weights, another "
        f"picture, or an adapter that is not on. The run's model is {run.info['model']['id']}."
    )

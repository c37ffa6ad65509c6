"""The promises, checked on a person's own weights: `python -m attention verify --model ID`.

One run is made as anybody makes it, on two pictures with a forced answer. Then the same model computes the same inputs
without this project's capture, and everything that can be compared is compared. What stands on the other side is not
ours: the model's own eager attention, its logits with plain SDPA, and what its layers make of painted pictures.

Owns the checks and their tolerances. Knows models and runs; knows no Gradio and no command line.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from attention.capture.extraction import fill
from attention.capture.images import open_image
from attention.errors import LimitExceeded, UnsupportedModel
from attention.families.family import Inputs
from attention.models import loading as models
from attention.models.devices import input_device
from attention.models.hook import attention_function
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.quantisation import plain_parts, rounds_activations
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.runs.tokens import cell_box

from . import painting

PROMPT, ANSWER = "Describe the two images.", "Shapes in several colors."
VISUAL_TOKENS = 256  # of one picture: enough to see every part of the code, and quick on a CPU
SUM_TOLERANCE = 1e-5
END_TO_END_TOLERANCE = 1e-3  # of float32 models: rounding of other kernels, carried through all layers; where quantised
# layers round what passes through them, a small difference there becomes a whole step, and nothing can be promised
COLUMNS_CHECKED = 16  # of each layer
GEOMETRY_SIZES = ((333, 240), (150, 420))
COST_PAIRS = 3
MANY_GRIDS = 4  # of one picture: tiles, of which a few cells each are enough


@dataclass(frozen=True)
class Check:
    """One promise and what was measured. `passed` None: a number to know, not a promise."""

    name: str
    passed: bool | None
    measured: str
    allowed: str = ""
    where: str = ""


def verify(
    model: str | LoadedModel,
    image: str | Path | Image.Image | None = None,
    device: str = "auto",
    dtype: str = "auto",
    model_type: str | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Check]:
    """Check capture, geometry and the model's integrity; return every check, passed or not.

    `image` is a picture to check with, a drawn one by default; `report` is told what is being done. Raises
    AttentionError for a model or picture that cannot be used.
    """
    report = report or (lambda _: None)
    picture = open_image(image)[0] if image is not None else drawing(560, 420)
    if not isinstance(model, LoadedModel):
        report("loading the model")
        model = models.load(model, device, dtype, model_type, lambda done, total: report(downloaded(done, total)))
    with tempfile.TemporaryDirectory(prefix="attention-verify-") as place, attention_function(model.model, "sdpa"):
        report("making a run")
        with INFERENCE, torch.inference_mode():  # some families' own code leaves hooks on its first pass
            device = input_device(model.model)
            model.model(**{name: tensor.to(device) for name, tensor in prepared_inputs(model, picture).tensors.items()})
        before = _state(model.model)
        folder, inputs, logits = _captured_run(model, picture, Path(place) / "run")
        after = _state(model.model)
        with Run(folder) as run, INFERENCE, torch.inference_mode():
            report("running the model without capture")
            plain = model.model(**inputs).logits
            report("comparing with eager attention")
            masks, end_to_end = _compare_end_to_end(model, run, inputs)
            same = _compare_on_same_factors(model, run, inputs, masks)
            report("reading rows and columns")
            rows = _compare_readers(run, same.bounds)
            about = _about(model, run)
        report("timing")
        cost = _check_cost(model, picture, Path(place), inputs)
        report("painting cells")
        geometry = _check_geometry(model, picture)
    difference = (logits.float() - plain.float()).abs().max().item()
    changed = [name for name in before if before[name] != after[name]]
    return [
        *about,
        *same.checks,
        *end_to_end,
        *rows,
        Check("logits with capture = without", torch.equal(logits, plain), _number(difference), "the same bits"),
        *geometry,
        Check("the model is left as it was", not changed, ", ".join(changed) or "nothing changed", "nothing changed"),
        cost,
    ]


def table(checks: list[Check]) -> str:
    """The checks as aligned text, one line each, below what was checked, and a last line that sums up."""
    verdicts = {True: "PASS", False: "FAIL", None: "-"}
    first = next((i for i, check in enumerate(checks) if check.passed is not None), len(checks))
    heading = [", ".join(filter(None, (check.measured, check.where))) for check in checks[:first]]
    checks = checks[first:]
    lines = [("", "check", "measured", "allowed", "")]
    lines += [(verdicts[check.passed], check.name, check.measured, check.allowed, check.where) for check in checks]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    decided = [check.passed for check in checks if check.passed is not None]
    failed = decided.count(False)
    text.append(f"{failed} of {len(decided)} checks failed." if failed else f"All {len(decided)} checks passed.")
    return "\n".join([*heading, *text])


# A run, and what the model itself computes


def _captured_run(loaded, picture, folder) -> tuple[Path, dict, torch.Tensor]:
    """Make a run as anybody does; also return what its capturing pass was given, and the logits it gave."""
    seen = {}

    def remember(module, args, kwargs, output):
        seen.update(inputs=kwargs, logits=output.logits)

    hook = loaded.model.register_forward_hook(remember, with_kwargs=True)
    try:
        images = (picture, drawing(224, 320))
        request = Request(images=images, prompt=PROMPT, answer=ANSWER, max_visual_tokens=VISUAL_TOKENS, vision=True)
        try:
            made = fill(request, PartialRun.create(folder), loaded)
        except LimitExceeded:  # a family that reads every picture in so many
            made = fill(replace(request, max_visual_tokens=None), PartialRun.create(folder), loaded)
        return made, seen["inputs"], seen["logits"]
    finally:
        hook.remove()


def _attention_modules(loaded) -> dict[int, tuple[str, int]]:
    """The modules that are attention, by id: (tower, layer)."""
    towers = loaded.family.attention_modules(loaded.model)
    return {id(module): (tower, layer) for tower, by_layer in towers.items() for layer, module in by_layer.items()}


def _eager_functions(loaded) -> dict:
    """The eager attention that the model's own source file has, by that Python module."""
    towers = loaded.family.attention_modules(loaded.model).values()
    sources = {sys.modules[type(module).__module__] for by_layer in towers for module in by_layer.values()}
    if not all(hasattr(source, "eager_attention_forward") for source in sources):
        raise UnsupportedModel("This model's code has no eager attention to compare with.")
    return {source: source.eager_attention_forward for source in sources}


class _Worst:
    """The largest of many errors relative to what is allowed, and where it was."""

    def __init__(self):
        self.share, self.measured, self.allowed, self.where = -1.0, 0.0, 0.0, ""

    def see(self, measured: float, allowed: float, where: str) -> None:
        share = measured / allowed if allowed else (float("inf") if measured else 0.0)
        if not share <= self.share:  # so that NaN is the worst of all
            self.share, self.measured, self.allowed, self.where = share, measured, allowed, where

    def check(self, name: str, decides: bool = True) -> Check:
        if self.share < 0:
            return Check(name, False, "nothing was compared")
        passed = self.share <= 1 if decides else None
        allowed = _number(self.allowed) if decides else ""
        return Check(name, passed, _number(self.measured), allowed, self.where if self.measured else "")


class _Blocks:
    """Place in its layer of each sequence of each attention call: one after the other, as they come."""

    def __init__(self):
        self._ends = defaultdict(lambda: (0, 0))

    def next(self, place, n_queries: int, n_keys: int) -> tuple[slice, slice]:
        row, col = self._ends[place]
        self._ends[place] = row + n_queries, col + n_keys
        return slice(row, row + n_queries), slice(col, col + n_keys)


def _compare_end_to_end(loaded, run, inputs) -> tuple[dict, list[Check]]:
    """Run the model with its eager attention, and compare its rows with the run's.

    Also returns the masks that eager attention was given in each layer, block by block: bool [queries, keys] of what is
    hidden, or None.
    """
    names, eager = _attention_modules(loaded), _eager_functions(loaded)
    masks, worst, hidden_mass = defaultdict(list), defaultdict(_Worst), _Worst()
    blocks = _Blocks()

    def listening(source):
        def forward(module, query, key, value, attention_mask, **kwargs):
            output, weights = eager[source](module, query, key, value, attention_mask, **kwargs)
            if id(module) in names:
                tower, layer = names[id(module)]
                for entry, part in enumerate(weights):
                    hidden = _hidden(attention_mask, entry, key.shape[2])
                    masks[tower, layer].append(hidden)
                    block = blocks.next((tower, layer), *part.shape[1:])
                    error, leak = _row_error(run, tower, layer, block, part.float().cpu().numpy(), hidden)
                    worst[tower].see(error, END_TO_END_TOLERANCE, f"layer {layer}")
                    hidden_mass.see(leak, 0.0, f"layer {layer}, {tower}")
            return output, weights

        return forward

    try:
        for source in eager:
            source.eager_attention_forward = listening(source)
        with attention_function(loaded.model, "eager"):
            loaded.model(**inputs)
    finally:
        for source, function in eager.items():
            source.eager_attention_forward = function
    rounds = rounds_activations(loaded.model.config)
    is_exact = loaded.dtype == "float32" and not rounds
    note = "" if is_exact else f" ({'quantised' if rounds else loaded.dtype}: eager's own rounding)"
    checks = [worst[tower].check(f"rows = an eager model's, {tower}{note}", is_exact) for tower in run.towers()]
    return masks, [*checks, hidden_mass.check("nothing on hidden keys")]


def _hidden(mask: torch.Tensor | None, entry: int, n_keys: int) -> np.ndarray | None:
    """Keys that a mask [batch, 1, queries, keys] hides in one entry of its batch: bool [queries, keys]; None for none.

    Most masks are added to scores; a bool one says what is seen.
    """
    if mask is None:
        return None
    mask = mask[entry if len(mask) > 1 else 0, 0, :, :n_keys]
    return (~mask if mask.dtype == torch.bool else mask < 0).cpu().numpy()


@dataclass
class _SameFactors:
    checks: list[Check]
    bounds: dict[tuple[str, int], float]


def _compare_on_same_factors(loaded, run, inputs, masks) -> _SameFactors:
    """Listen to plain SDPA, and compare the run's rows with eager attention on the very same queries and keys.

    Half-precision models are compared with a float64 softmax instead: their eager attention rounds to half precision.
    """
    names, eager = _attention_modules(loaded), _eager_functions(loaded)
    sdpa = ALL_ATTENTION_FUNCTIONS["sdpa"]
    errors, bounds, blocks = defaultdict(list), defaultdict(float), _Blocks()
    hidden_blocks = {place: iter(found) for place, found in masks.items()}

    def listen(module, query, key, value, attention_mask, **kwargs):
        if id(module) in names:
            place = names[id(module)]
            scaling = kwargs.get("scaling") or query.shape[-1] ** -0.5
            for entry in range(len(query)):
                own = [tensor[entry : entry + 1] for tensor in (query, key, value)]
                hidden = next(hidden_blocks[place])
                weights, largest = _scores_in_float64(own[0][0], own[1][0], hidden, scaling)
                if loaded.dtype == "float32":
                    forward = eager[sys.modules[type(module).__module__]]
                    weights = forward(module, *own, _added(hidden, query.device), scaling)[1][0]
                block = blocks.next(place, query.shape[2], key.shape[2])
                errors[place].append(_row_error(run, *place, block, weights.cpu().numpy(), hidden)[0])
                bounds[place] = max(bounds[place], 1e-6 + 2e-7 * largest)
        return sdpa(module, query, key, value, attention_mask, **kwargs)

    # an entry of this mapping's own hides the general one for everybody until it is taken away
    ALL_ATTENTION_FUNCTIONS["sdpa"] = listen
    try:
        loaded.model(**inputs)
    finally:
        del ALL_ATTENTION_FUNCTIONS["sdpa"]
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is sdpa
    worst = defaultdict(_Worst)
    for (tower, layer), found in errors.items():
        worst[tower].see(max(found), bounds[tower, layer], f"layer {layer}")
    other = "eager" if loaded.dtype == "float32" else "float64 softmax"
    checks = [worst[tower].check(f"rows = {other} on the same queries and keys, {tower}") for tower in run.towers()]
    return _SameFactors(checks, dict(bounds))


def _scores_in_float64(query, key, hidden, scaling) -> tuple[torch.Tensor, float]:
    """The softmax of [heads, queries, head_dim] on [kv_heads, keys, head_dim], and the largest |score|, in float64."""
    keys = key.cpu().double().repeat_interleave(len(query) // len(key), dim=0)
    scores = query.cpu().double() @ keys.transpose(1, 2) * scaling
    if hidden is not None:
        scores.masked_fill_(torch.from_numpy(hidden), float("-inf"))
    return scores.softmax(dim=-1), scores[torch.isfinite(scores)].abs().max().item()


def _added(hidden: np.ndarray | None, device) -> torch.Tensor | None:
    """A mask as eager attention adds it to scores: float32 [1, 1, queries, keys]."""
    if hidden is None:
        return None
    mask = torch.zeros(hidden.shape, device=device)
    return mask.masked_fill_(torch.from_numpy(hidden).to(device), torch.finfo(torch.float32).min)[None, None]


def _row_error(run, tower, layer, block, weights, hidden) -> tuple[float, float]:
    """Distance of rows from `weights` [heads, queries, keys] of a block (its queries and its keys, slices); and their
    largest value on hidden keys. Keys outside of the block are hidden as well.
    """
    error = leak = 0.0
    queries, keys = block
    for start, rows in run.dense_chunks(layer, tower, queries.start, queries.stop):
        span = slice(start - queries.start, start - queries.start + rows.shape[1])
        inside = rows[:, :, keys]
        error = max(error, np.abs(inside - weights[:, span]).max())
        outside = max(rows[:, :, : keys.start].max(initial=0), rows[:, :, keys.stop :].max(initial=0))
        leak = max(leak, outside, inside[:, hidden[span]].max(initial=0) if hidden is not None else 0)
    return float(error), float(leak)


# The run by itself


def _compare_readers(run, bounds) -> list[Check]:
    """Rows sum to one, columns are the rows' own values, stored rows are the same rows rounded once."""
    sums, columns, stored = _Worst(), _Worst(), _Worst()
    for tower in run.towers():
        keys = np.unique(np.linspace(0, run.keys(tower) - 1, COLUMNS_CHECKED).astype(int))
        for layer in run.layers(tower):
            where, bound = f"layer {layer}, {tower}", bounds[tower, layer]
            read = np.stack([run.column(layer, int(key), tower) for key in keys], axis=-1)
            for start, rows in run.dense_chunks(layer, tower):
                span = slice(start, start + rows.shape[1])
                sums.see(float(np.abs(rows.sum(axis=-1) - 1).max()), SUM_TOLERANCE, where)
                apart = float(np.abs(rows[:, :, keys] - read[:, span]).max())
                columns.see(apart, 2 * bound, where)  # each of the two may be off by so much
            for position in run.stored_positions(tower):
                kept = run.stored_row(layer, position, tower)
                exact = run.row(layer, position, tower, "factors")
                excess = np.abs(kept.astype(np.float32) - exact) - np.spacing(np.maximum(kept, 0)) / np.float16(2)
                stored.see(float(max(0, excess.max())), bound, where)
    return [
        sums.check("rows sum to one"),
        columns.check("columns = rows"),
        stored.check("stored rows, beyond half a float16 step"),
    ]


# What it costs


def _about(loaded, run) -> list[Check]:
    """Words on what was checked, so that the table alone says it."""
    info, config = run.info, loaded.model.config
    model = f"{loaded.family.label} ({config.model_type}), {loaded.dtype}, {info['device']}"
    towers = [f"{name} {len(run.layers(name))} layers x {run.heads(name)} heads" for name in run.towers()]
    versions = ", ".join(f"{name} {version}" for name, version in info["versions"].items() if version)
    return [
        Check("model", None, f"{Path(loaded.id).name}: {model}"),
        Check("towers", None, ", ".join(towers), where=f"{len(info['tokens'])} tokens, {len(info['images'])} pictures"),
        Check("versions", None, versions),
    ]


def _check_cost(loaded, picture, place, inputs) -> Check:
    """Time of a capturing pass, to its last byte on disk, as a multiple of the model's own pass beside it."""
    ratios, plain = [], 0.0
    for attempt in range(COST_PAIRS):
        folder, _, _ = _captured_run(loaded, picture, place / f"timed_{attempt}")
        captured = Run(folder).info["timings_ms"]["capture"] / 1000
        with INFERENCE, torch.inference_mode():
            start = time.perf_counter()
            loaded.model(**inputs).logits.cpu()
            plain = time.perf_counter() - start
        ratios.append(captured / plain)
    seconds = f"{plain:.2f} s plain" if plain >= 1 else f"{plain * 1000:.0f} ms plain"
    return Check("time with capture / without", None, f"{statistics.median(ratios):.2f}x", where=seconds)


# Geometry


def _check_geometry(loaded, picture) -> list[Check]:
    """Paint cells in grey pictures: the keys that change most must be those that are said to stand for them."""
    asked, right = defaultdict(int), defaultdict(int)
    wrong = {}
    for size in (picture.size, *GEOMETRY_SIZES):
        grey = Image.new("RGB", size, (128, 128, 128))
        inputs = prepared_inputs(loaded, grey)
        before = painting.first_keys(loaded.family, loaded.model, inputs)
        for index, row, col, box in _places(inputs.grids, size):
            after = painting.first_keys(
                loaded.family, loaded.model, prepared_inputs(loaded, painting.painted(grey, box))
            )
            tower = inputs.grids[index].tower
            asked[tower] += 1
            if painting.changed_cells(inputs, before, after).get(index) == (index, row, col):
                right[tower] += 1
            else:
                place = f"row {row}, column {col} of grid {index}, {size[0]}x{size[1]}"
                wrong.setdefault(tower, f"first: {place}")
    found = "painted cells are found"
    return [
        Check(f"{found}, {tower}", right[tower] == n, f"{right[tower]} of {n}", f"{n} of {n}", wrong.get(tower, ""))
        for tower, n in asked.items()
    ]


def prepared_inputs(loaded: LoadedModel, picture: Image.Image) -> Inputs:
    """The model's inputs for the question that is asked about a picture here."""
    conversation = Request(images=(picture,), prompt=PROMPT).conversation()
    try:
        return loaded.family.prepare(loaded.processor, conversation, [picture], VISUAL_TOKENS)
    except LimitExceeded:
        return loaded.family.prepare(loaded.processor, conversation, [picture], None)


def _places(grids, size) -> Iterator[tuple[int, int, int, tuple]]:
    """Some cells of every grid that lie on the picture, and their boxes: fewer each where there are many tiles."""
    for index, grid in enumerate(grids):
        rows, cols = ((0, grid.rows // 2, grid.rows - 1), (0, grid.cols // 3, grid.cols - 1))
        cells = sorted({(row, col) for row in rows for col in cols})
        if len(grids) > MANY_GRIDS:
            cells = cells[index % 3 :: 4]
        for row, col in cells:
            x0, y0, x1, y1 = cell_box(grid.to_dict(), row, col)
            width, height = min(x1, size[0]) - max(x0, 0), min(y1, size[1]) - max(y0, 0)
            if width > 0 and width * height > 0.5 * (x1 - x0) * (y1 - y0):
                # all of it, as `painted` takes the middle: the middle of what is shown may be a neighbour's too
                yield index, row, col, (x0, y0, x1, y1)


# Small things


def _state(model: torch.nn.Module) -> dict:
    """State of a model from outside: its attention, hooks, mode and every weight's bits, summed."""
    configs = {id(module.config): module.config for module in model.modules() if hasattr(module, "config")}.values()
    weights = [*model.parameters(), *model.buffers()]
    return {
        "attention function": [getattr(config, "_attn_implementation", None) for config in configs],
        "hooks": sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()),
        "training mode": [module.training for module in model.modules()],
        "weights": [_bits(part) for weight in weights for part in plain_parts(weight)],
        "gradients": [weight.requires_grad for weight in weights],
    }


def _bits(tensor: torch.Tensor) -> int:
    if tensor.is_meta:
        return 0  # accelerate keeps it elsewhere, and puts it there again after each use
    whole = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return int(tensor.detach().view(whole).sum(dtype=torch.int64))


def drawing(width: int, height: int) -> Image.Image:
    """Shapes and stripes: something for the heads to tell apart."""
    picture = Image.new("RGB", (width, height), (236, 233, 226))
    draw = ImageDraw.Draw(picture)
    for x in range(0, width, 24):
        draw.line((x, 0, width - x, height), fill=(x % 256, 120, 200), width=3)
    draw.ellipse((width // 8, height // 6, width // 2, height // 2), fill=(210, 40, 40))
    draw.rectangle((width // 2, height // 2, width - 20, height - 30), fill=(40, 90, 200))
    draw.polygon([(width // 5, height - 20), (width // 3, height // 2), (width // 2, height - 20)], fill=(240, 200, 40))
    return picture


def downloaded(done: int, total: int) -> str:
    """Words on how far a download is."""
    return f"downloading the model: {done / 1e9:.1f} of {total / 1e9:.1f} GB" if total else "downloading the model"


def _number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"

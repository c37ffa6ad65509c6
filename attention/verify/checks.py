"""The promises, checked on a person's own weights: `python -m attention verify --model ID`.

One run is made as anybody makes it, on two pictures with a forced answer. Then the same model computes the same inputs
without this project's capture, and everything that can be compared is compared. What stands on the other side is not
ours: the model's own eager attention, its logits with plain SDPA, and what its layers make of painted pictures.

Owns the order of the checks, and those that need no other attention: `eager` and `painting` do. Knows models and runs;
knows no Gradio and no command line.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from attention.capture.extraction import fill
from attention.capture.images import open_image
from attention.errors import LimitExceeded
from attention.models import loading as models
from attention.models.devices import inputs_for
from attention.models.hook import attention_function, fast_attention
from attention.models.kept import INFERENCE, LoadedModel
from attention.models.quantisation import plain_parts
from attention.request import Request
from attention.runs.partial import PartialRun
from attention.runs.run import Run
from attention.runs.tokens import cell_box
from attention.words import in_one_line, phase_words, tower_words

from . import painting
from .eager import Choices, check_eager_logits, compare_end_to_end, compare_on_same_factors
from .pictures import ANSWER, PROMPT, VISUAL_TOKENS, drawing, prepared_inputs
from .table import Check, Worst, number

SUM_TOLERANCE = 1e-5
COLUMNS_CHECKED = 16  # of each layer
GEOMETRY_SIZES = ((333, 240), (150, 420))
COST_PAIRS = 3
MANY_GRIDS = 4  # of one picture: tiles, of which a few cells each are enough


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
        report("Loading the model")
        model = models.load(model, device, dtype, model_type, lambda done, total: report(downloaded(done, total)))
    towers = model.family.attention_modules(model.model).values()
    fast = fast_attention(model.model, [module for by_layer in towers for module in by_layer.values()])
    with tempfile.TemporaryDirectory(prefix="attention-verify-") as place, attention_function(model.model, fast):
        report("Making a run")
        with INFERENCE, torch.inference_mode():  # some families' own code leaves hooks on its first pass
            model.model(**inputs_for(model.model, model.family, prepared_inputs(model, picture).tensors))
        before = _state(model.model)
        folder, inputs, logits = _captured_run(model, picture, Path(place) / "run")
        after = _state(model.model)
        with Run(folder) as run, INFERENCE, torch.inference_mode():
            report("Running the model without capture")
            choices = Choices(model)
            with choices.kept():
                plain = model.model(**inputs).logits
            report("Comparing with eager attention")
            masks, end_to_end, eager = compare_end_to_end(model, run, inputs, choices)
            same = compare_on_same_factors(model, run, inputs, masks, fast)
            report("Reading rows and columns")
            rows = _compare_readers(run, same.bounds)
            about = _about(model, run)
        report("Timing")
        cost = _check_cost(model, picture, Path(place), inputs)
        report("Painting cells")
        geometry = _check_geometry(model, picture)
    difference = (logits.float() - plain.float()).abs().max().item()
    changed = [name for name in before if before[name] != after[name]]
    of_eager = [] if fast == "sdpa" else [check_eager_logits(model, logits, eager)]
    return [
        *about,
        *same.checks,
        *end_to_end,
        *rows,
        Check("logits with capture = without", torch.equal(logits, plain), number(difference), "the same bits"),
        *of_eager,
        *geometry,
        Check("the model is left as it was", not changed, ", ".join(changed) or "nothing changed", "nothing changed"),
        cost,
    ]


def _captured_run(loaded, picture, folder) -> tuple[Path, dict, torch.Tensor]:
    """Make a run as anybody does; also return what its capturing pass was given, and the logits it gave."""
    seen: dict = {}

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


def _compare_readers(run, bounds) -> list[Check]:
    """Rows sum to one, columns are the rows' own values, stored rows are the same rows rounded once."""
    sums, columns, stored = Worst(), Worst(), Worst()
    for tower in run.towers():
        keys = np.unique(np.linspace(0, run.keys(tower) - 1, COLUMNS_CHECKED).astype(int))
        for layer in run.layers(tower):
            where, bound = f"layer {layer}, {tower}", bounds[tower, layer]
            read = np.stack([run.column(layer, int(key), tower) for key in keys], axis=-1)
            has_sink = run.has_learned_sink(layer, tower)  # then it holds what is left
            for start, rows in run.dense_chunks(layer, tower):
                span = slice(start, start + rows.shape[1])
                beyond = rows.sum(axis=-1) - 1
                sums.see(float((np.maximum(beyond, 0) if has_sink else np.abs(beyond)).max()), SUM_TOLERANCE, where)
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


def _about(loaded, run) -> list[Check]:
    """Words on what was checked, so that the table alone says it."""
    info, config = run.info, loaded.model.config
    model = f"{loaded.family.label} ({config.model_type}), {loaded.dtype}, {info['device']}"
    towers = [f"{name} {tower_words(tower)}" for name, tower in info["towers"].items()]
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


def _check_geometry(loaded, picture) -> list[Check]:
    """Paint cells in grey pictures: the keys that change most must be those that are said to stand for them."""
    asked: dict[str, int] = defaultdict(int)
    right: dict[str, int] = defaultdict(int)
    wrong: dict[str, str] = {}
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


def downloaded(done: int, total: int) -> str:
    """Words on how far a download is."""
    return in_one_line(*phase_words({"phase": "model", "done": done, "total": total}))

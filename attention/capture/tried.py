"""Trials on a run: the answer's probability when tokens are hidden, heads are silenced, or pictures painted over.

Owns the passes. The prompt is read once, by the vision tower as well: the members of a batch part where the first layer
of the language model begins. A model whose own code does not take a batch there runs them one by one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageStat

from attention.errors import InvalidRequest, quoted
from attention.limits import Limits
from attention.models.edits import LayerEdit, edited
from attention.readings.target import Target
from attention.readings.trial import Hide, Silence, Trial
from attention.runs.partial import PartialRun
from attention.runs.regions import Region
from attention.runs.run import Run
from attention.runs.temporary import temporary_place
from attention.runs.tokens import token_texts

from .asked_again import AskedAgain, asked_again
from .backward import value_of
from .extraction import Adapted
from .reading_memory import members_at_once

Paint = Literal["mean", "blur"]
PAINTS: tuple[Paint, ...] = get_args(Paint)

EQUAL, EQUAL_16 = 2e-3, 0.5  # by how many nats a token may be more or less probable than in the run: another device's


@dataclass(frozen=True)
class Tried:
    """Values of the target: `value` with nothing changed, `values` float64 [trials]; and what would have been said.

    `said` int [trials + 1, tokens of the answer]: the likeliest token at each of its places; first of the unchanged.
    """

    value: float
    values: np.ndarray
    said: np.ndarray = field(repr=False)

    @property
    def changes(self) -> np.ndarray:
        """Change of the target by each trial, float64 [trials]: negative where it became less probable."""
        return self.values - self.value


class Trials:
    """A run's model, ready to try things on, for the time of a `with`: see `trials`."""

    def __init__(self, asked: AskedAgain, target: Target, partial: PartialRun):
        self._asked, self._target, self._partial = asked, target, partial
        self._modules = asked.loaded.family.attention_modules(asked.loaded.model)

    @property
    def target(self) -> Target:
        """The target that is measured."""
        return self._target

    @property
    def at_once(self) -> int:
        """Trials that are one batch."""
        return _at_once(self._asked)

    @cached_property
    def _unchanged(self) -> torch.Tensor:
        return self._asked.logits()[0]

    def without(self, tried: Sequence[Trial], on_done: Callable[[int, int], None] | None = None) -> Tried:
        """Measure the target with each of some changes to the model's attention.

        Raises InvalidRequest for a trial that this run does not allow. `on_done` is told of (trials done, of all), in
        place of the job that waits for them.
        """
        run, values, said = self._asked.run, list[float](), list[list[int]]()
        for trial in tried:
            trial.check(run)
        for part in _batches(self._asked, tried):
            self._partial.check_cancelled()
            logits = _logits(self._asked, self._modules, run, part)
            if not values:
                check_same_words(self._asked, logits[0])
            skipped = 1 if values else 0  # the unchanged member of every batch but the first
            for each in logits[skipped:]:
                self._measure(each, values, said)
            self._tell(on_done, len(values) - 1, len(tried))
        return Tried(values[0], np.array(values[1:]), np.array(said))

    def painted(
        self, regions: Sequence[Region], by: Paint = "mean", on_done: Callable[[int, int], None] | None = None
    ) -> Tried:
        """Measure the target with each region of its picture painted over, the picture read again by the whole model.

        In the mean colour of its picture, or blurred. Raises CaptureError for a picture that is read as other tokens.
        """
        return self.painted_together([[region] for region in regions], by, on_done)

    def painted_together(
        self,
        parts: Sequence[Sequence[Region]],
        by: Paint = "mean",
        on_done: Callable[[int, int], None] | None = None,
    ) -> Tried:
        """The same of several regions at a time."""
        if by not in PAINTS:
            raise InvalidRequest(f"A region is painted {' or '.join(PAINTS)}, not {quoted(by)}.")
        values, said = list[float](), list[list[int]]()
        check_same_words(self._asked, self._unchanged)
        self._measure(self._unchanged, values, said)
        pictures = [image for image, _ in self._asked.pictures]
        if any(region.image >= len(pictures) for part in parts for region in part):
            raise InvalidRequest("Frames of a video are not painted over. Hide the region instead.")
        for done, part in enumerate(parts):
            self._partial.check_cancelled()
            boxes = [[region.place for region in part if region.image == i] for i in range(len(pictures))]
            shown = [painted(picture, own, by) for picture, own in zip(pictures, boxes, strict=True)]
            self._measure(self._asked.logits(self._asked.with_pictures(shown))[0], values, said)
            self._tell(on_done, done + 1, len(parts))
        return Tried(values[0], np.array(values[1:]), np.array(said))

    def _tell(self, on_done: Callable[[int, int], None] | None, done: int, total: int) -> None:
        if on_done is None:
            self._partial.report("try", done, total)
        else:
            on_done(done, total)

    def text_of(self, token: int) -> str:
        """The text of a token of the vocabulary, by its id."""
        return token_texts([token], self._asked.loaded.processor.tokenizer.decode, lambda _: False)[0][0]

    def _measure(self, logits: torch.Tensor, values: list[float], said: list[list[int]]) -> None:
        values.append(float(value_of(self._target, logits, self._asked.ids, self._asked.first)))
        said.append(logits[:-1].argmax(dim=-1).tolist())


@contextmanager
def trials(
    run: Run,
    target: Target | None = None,
    *,
    model=None,
    limits: Limits | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
) -> Iterator[Trials]:
    """Hold the model of a run, to try things on: raises CaptureError where it does not read what the run says, and what
    `extract` raises. `partial` is where progress is told and a stop is asked for.
    """
    with ExitStack() as held:
        if partial is None:
            place = temporary_place()
            partial = PartialRun.create(place)
            held.callback(shutil.rmtree, place.parent, ignore_errors=True)
        asked = held.enter_context(asked_again(run, partial, model, limits, adapted))
        yield Trials(asked, target or Target.of(run), partial)


def try_without(run: Run, tried: Sequence[Trial], target: Target | None = None, *, model=None) -> Tried:
    """Measure the target of a run with each of some changes to its model's attention. Raises as `trials` does."""
    with trials(run, target, model=model) as ready:
        return ready.without(tried)


def painted(picture: Image.Image, boxes: Sequence[Sequence[float]], by: Paint) -> Image.Image:
    """A copy of an RGB picture with boxes of it in the picture's mean colour, or blurred beyond recognition."""
    result = picture.copy()
    for box in boxes:
        x0, y0, x1, y1 = (round(side) for side in box)
        if by == "mean":
            colour = tuple(round(value) for value in ImageStat.Stat(picture).mean)
            result.paste(colour, (x0, y0, x1, y1))
        else:
            blurred = picture.filter(ImageFilter.GaussianBlur(max(x1 - x0, y1 - y0) / 4))
            result.paste(blurred.crop((x0, y0, x1, y1)), (x0, y0))
    return result


def check_same_words(asked: AskedAgain, logits: torch.Tensor) -> None:
    """Raise CaptureError where the answer's tokens are not as probable as the run says."""
    said = asked.run.info.get("logprobs") or []
    rows = torch.log_softmax(logits[:-1].float(), dim=-1)
    now = rows.gather(-1, torch.tensor(asked.ids[asked.first :], device=rows.device)[:, None])[:, 0].cpu().numpy()
    most = EQUAL if asked.run.info["model"]["dtype"] == "float32" else EQUAL_16
    if len(said) != len(now) or not np.abs(now - np.array(said)).max(initial=0) <= most:
        raise asked.other("The answer's tokens are now more or less probable")


def _batches(asked: AskedAgain, trials: Sequence[Trial]) -> Iterator[Sequence[Trial]]:
    """Trials, as many at a time as have room with their hidden edges, states and logits."""
    step = _at_once(asked)
    for start in range(0, max(1, len(trials)), step):
        yield trials[start : start + step]


def _at_once(asked: AskedAgain) -> int:
    words = asked.loaded.model.get_output_embeddings().weight
    vocabulary, width = words.shape
    return members_at_once(asked.run, vocabulary, width, words.element_size())


def _logits(asked: Any, modules: dict, run: Run, trials: Sequence[Trial]) -> torch.Tensor:
    """Logits of the answer's places, [1 + trials, positions, vocabulary]; the first member is unchanged."""
    try:
        with edited(_edits(run, modules, trials)), _parting(asked.loaded, modules, 1 + len(trials)):
            return asked.logits()
    except (RuntimeError, IndexError, ValueError):
        if not trials:
            raise
        watched = {module: LayerEdit(is_watched=True) for by_layer in modules.values() for module in by_layer.values()}
        with edited(watched):
            found = [asked.logits()]
        for trial in trials:
            changes = _edits(run, modules, [trial], is_alone=True)
            for module, change in changes.items():
                change.mean = watched[module].mean
            with edited(changes):
                found.append(asked.logits())
        return torch.cat(found)


def _edits(
    run: Run, modules: dict[str, dict[int, torch.nn.Module]], trials: Sequence[Trial], is_alone: bool = False
) -> dict[torch.nn.Module, LayerEdit]:
    """The change of each layer, for members of a batch of which the first is unchanged, or for one trial alone."""
    shift, n_members = (0, 1) if is_alone else (1, 1 + len(trials))
    edits: dict[torch.nn.Module, LayerEdit] = {}
    made: dict[tuple[Any, ...], torch.Tensor] = {}  # most layers hide the same: tokens x tokens are held once
    for tower, layers in modules.items():
        if tower not in run.towers() or tower == "vision":
            continue
        queries, keys, heads = run.queries(tower), run.keys(tower), run.heads(tower)
        for layer, module in layers.items():
            hiding = [
                (member + shift, trial)
                for member, trial in enumerate(trials)
                if isinstance(trial, Hide) and trial.tower == tower and (trial.layers is None or layer in trial.layers)
            ]
            hidden = None
            if hiding:
                same = (tower, *(member for member, _ in hiding))
                if same not in made:
                    by_head = any(trial.heads is not None for _, trial in hiding)
                    hidden = torch.zeros(n_members, heads if by_head else 1, queries, keys, dtype=torch.bool)
                    for member, trial in hiding:
                        which = slice(None) if trial.heads is None else list(trial.heads)
                        hidden[member, which] = _edges(trial, queries, keys)
                    made[same] = hidden
                hidden = made[same]
            silent: dict[int, dict[int, torch.Tensor | None]] = {}
            for member, silenced in enumerate(trials):
                if isinstance(silenced, Silence) and silenced.tower == tower:
                    zero = torch.zeros(()) if silenced.by == "zero" else None
                    own = {head: zero for at, head in silenced.heads if at == layer}
                    if own:
                        silent[member + shift] = own
            if hidden is not None or silent:
                edits[module] = LayerEdit(hidden, silent)
    return edits


def _edges(trial: Hide, n_queries: int, n_keys: int) -> torch.Tensor:
    """The edges that a trial hides: bool [queries, keys]."""
    keys = torch.zeros(n_keys, dtype=torch.bool)
    keys[list(trial.keys)] = True
    if trial.rows is not None:
        rows = torch.zeros(n_queries, dtype=torch.bool)
        rows[list(trial.rows)] = True
    else:
        rows = ~keys if trial.tower == "language" else torch.ones(n_queries, dtype=torch.bool)
    return rows[:, None] & keys


@contextmanager
def _parting(loaded, modules: dict[str, dict[int, torch.nn.Module]], members: int) -> Iterator[None]:
    """Let the members of a batch part at the first layer of the language model: what comes before is read once."""
    model = loaded.model
    names = {id(module): name for name, module in model.named_modules()}
    stack, _, _ = names[id(next(iter(modules["language"].values())))].partition(".layers.")
    text, first = model.get_submodule(stack), model.get_submodule(f"{stack}.layers")[0]

    def part(_, args, kwargs):
        if args:
            return (_repeated(args[0], members), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": _repeated(kwargs["hidden_states"], members)}

    def with_deep_pictures(_, args, kwargs):
        """Features of pictures that later layers add where pictures are (DeepStack), for every member."""
        where, features = kwargs.get("visual_pos_masks"), kwargs.get("deepstack_visual_embeds")
        if where is not None:
            kwargs = kwargs | {"visual_pos_masks": _repeated(where, members)}
        if features is not None:
            kwargs = kwargs | {"deepstack_visual_embeds": [each.repeat(members, 1) for each in features]}
        return args, kwargs

    with ExitStack() as hooks:
        for handle in (
            text.register_forward_pre_hook(with_deep_pictures, with_kwargs=True),
            first.register_forward_pre_hook(part, with_kwargs=True),
        ):
            hooks.callback(handle.remove)
        yield


def _repeated(tensor: torch.Tensor, members: int) -> torch.Tensor:
    return tensor.repeat(members, *[1] * (tensor.dim() - 1))

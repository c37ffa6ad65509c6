"""Two members of a comparison and their difference on the picture: as a PNG, or as a figure for a paper.

Makes of `ComparedMaps` what `attention.drawing.figure` lays out: a panel for each that is shown, and sentences below.
Knows neither models nor Gradio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
from PIL import Image

from attention.drawing import figure
from attention.drawing.colour_range import Drawn, DrawnDifference
from attention.drawing.effect_words import EFFECT, EFFECT_CAUTION, effect_in_region, effect_subject, effect_where
from attention.drawing.figure import Panel, size_of
from attention.drawing.look import Look
from attention.drawing.number_text import (
    bar_labels,
    bar_note,
    format_percent,
    format_times,
    format_value,
    signed_labels,
)
from attention.drawing.overlay import DARK, LIGHT
from attention.drawing.palettes import diverging, palette
from attention.drawing.run_map import cells_over, ground, pale, places_on, with_region
from attention.drawing.run_words import (
    asked_words,
    ground_words,
    head_words,
    image_words,
    learned_sink_words,
    look_settings,
    on_sinks,
    place_words,
    region_words,
    sinks_sentence,
    subject_words,
    where_words,
)
from attention.errors import InvalidRequest, quoted
from attention.words import ONE_INPUT

from .maps import ComparedMaps
from .names import member_names

SHOWN = ("left", "right", "difference", "wipe")
USUAL = SHOWN[:3]
OTHERS = "different pictures of one size"


def write_comparison_figure(
    maps: ComparedMaps,
    look: Look,
    file: BinaryIO,
    format: str,  # noqa: A002 - the word that every way in uses
    show: Sequence[str] | str | None = None,
    split: float = 0.5,
    difference_high: float | str | None = None,
    right_high: float | None = None,
    scale: float | None = None,
    width: int | None = None,
    caption: bool = False,
) -> None:
    """Write maps side by side into an open file, as `png`, `svg` or `pdf`.

    `show` names them, in their order: left, right, difference (the default), wipe; as a list, or with commas between.
    Of members side by side there are the first two alone.
    `split` is where the wipe's line stands, 0 to 1 of the picture's width: left of it is `left`. `difference_high` is
    where the colours of the difference end, in the maps' unit, or `largest`; without it they are on the maps' scale.
    Of members side by side each map has a range of its own; `right_high` is where the right one's ends.
    `scale` or `width` are the size of each picture of a PNG, and `caption` is what svg and pdf always have. Raises
    InvalidRequest or LimitExceeded before anything is written.
    """
    shown = _shown(show, maps)
    if isinstance(split, bool) or not isinstance(split, int | float) or not 0 <= split <= 1:
        raise InvalidRequest(f"split is {quoted(split)}; it must be a number from 0 to 1.")
    if format != "png" and (scale, width) != (None, None):
        raise InvalidRequest(f"Format {format} is sharp in any size: leave scale and width out, or use png.")
    drawn = maps.drawn(look, difference_high, right_high)
    panels = _panels(maps, look, shown, split, drawn, difference_high is not None)
    sentences = _caption(maps, look, drawn, difference_high is not None)
    about = maps.settings() | look_settings(look)
    about |= {"show": shown, "range": [drawn[0].low, drawn[0].high]}
    own = {"right_range": [drawn[1].low, drawn[1].high]}
    about |= own if maps.is_side_by_side else {"difference_high": drawn[2].high}
    about |= {"split": split} if "wipe" in shown else {}
    if format == "png":
        info = maps.before.run.info
        size = size_of(info["images"][maps.before.image], scale, width, len(panels))
        figure.write_png(panels, sentences if caption else None, about, file, size)
    else:
        between = " beside " if maps.is_side_by_side else " against "
        what = "effects forecast" if maps.is_signed else "attention"
        title = f"{what} of {maps.comparison.info['model']['id']}, {between.join(_names(maps)[::-1])}"
        figure.write_figure(panels, sentences, about, title, file, format)


def _shown(show: Sequence[str] | str | None, maps: ComparedMaps) -> list[str]:
    usual = list(USUAL[:2] if maps.is_side_by_side else USUAL)
    names = usual if show in (None, "", []) else show.split(",") if isinstance(show, str) else show
    names = [str(name).strip() for name in names] if isinstance(names, list | tuple) else [str(names)]
    for name in names:
        if name not in SHOWN:
            raise InvalidRequest(f"There is no {quoted(name)} to show. There is {', '.join(SHOWN)}.")
    of_both = [name for name in names if name not in SHOWN[:2]]
    if of_both and maps.is_side_by_side:
        raise InvalidRequest(f"{maps.comparison.why_side_by_side()} There is no {of_both[0]} to show: left or right.")
    if len(set(names)) < len(names):
        raise InvalidRequest(f"show names one of them twice: {', '.join(names)}.")
    return names


def _panels(
    maps: ComparedMaps, look: Look, shown: Sequence[str], split: float, drawn: tuple[Drawn, Drawn, DrawnDifference],
    is_own: bool,
) -> list[Panel]:  # fmt: skip
    before, after, difference = drawn
    image = maps.before.image
    there, here = (ground(selection.run, image, look) for selection in (maps.before, maps.after))
    faint = pale(there)
    have_one = maps.comparison.have_one_picture(maps.left, maps.right)
    colours, bar = look.colours(), palette(look.palette)
    labels: Callable[..., tuple[str, str, str]] = bar_labels
    if maps.is_signed:
        colours, bar, labels = look.diverging_colours(), diverging(), signed_labels
        there, here = pale(there), pale(here)
    what = EFFECT if maps.is_signed else "attention"
    first, second = _names_at(maps)
    over = {
        name: cells_over(selection, how, colours, look, len(shown))
        for name, selection, how in (("left", maps.before, before), ("right", maps.after, after))
    }
    places = {
        name: with_region(places_on(maps.comparison.info_of(member), image, look), selection, image)
        for name, member, selection in (("left", maps.left, maps.before), ("right", maps.right, maps.after))
    }
    made = {
        "left": lambda: Panel(
            there, over["left"], bar, labels(before), bar_note(before, what), places["left"], first
        ),
        "right": lambda: Panel(
            here, over["right"], bar, labels(after), bar_note(after, what), places["right"], second
        ),
        "difference": lambda: Panel(
            faint if have_one else Image.new("RGB", there.size, "white"),
            cells_over(maps.before, difference, look.diverging_colours(), look, len(shown)), diverging(),
            signed_labels(difference), _difference_note(maps, difference, is_own),
            name=f"difference: {second} − {first}",
        ),
        "wipe": lambda: Panel(
            _halves(there, here, split), _wiped(over["left"], over["right"], split), bar, labels(after),
            bar_note(after, what), name=f"{first} | {second}",
        ),
    }  # fmt: skip
    return [made[name]() for name in shown]


def _halves(left: Image.Image, right: Image.Image, split: float) -> Image.Image:
    """Left of a line one picture, right of it the other."""
    both = right.copy()
    both.paste(left.crop((0, 0, round(split * left.width), left.height)))
    return both


Overlay = Callable[[tuple[int, int]], Iterator[np.ndarray]]


def _wiped(left: Overlay, right: Overlay, split: float) -> Overlay:
    """Left of a line one map, right of it the other."""

    def bands(size: tuple[int, int]) -> Iterator[np.ndarray]:
        at = round(split * size[0])
        thick = max(1, round(size[0] / 400))
        for one, other in zip(left(size), right(size), strict=True):
            both = one.copy()
            both[:, at:] = other[:, at:]
            both[:, max(0, at - thick) : at + 2 * thick] = (*LIGHT, 255)
            both[:, at : at + thick] = (*DARK, 255)
            yield both

    return bands


# The words


def _names(maps: ComparedMaps) -> tuple[str, str]:
    names = member_names(maps.comparison.info["members"])
    return names[maps.left], names[maps.right]


def _names_at(maps: ComparedMaps) -> tuple[str, str]:
    """The same, side by side with the layer and the head that each map is of."""
    first, second = _names(maps)
    if not maps.is_side_by_side:
        return first, second
    return f"{first}, {head_words(maps.before)}", f"{second}, {head_words(maps.after)}"


def _caption(
    maps: ComparedMaps, look: Look, drawn: tuple[Drawn, Drawn, DrawnDifference], is_own: bool
) -> list[str]:  # fmt: skip
    """Sentences on what the maps are of, what lies between them and how they are drawn."""
    info = maps.comparison.info
    first, second = _names(maps)
    before, after, difference = drawn
    rows, cols = before.values.shape
    write = format_times if before.unit == "uniform" else format_value
    even = " even attention" if before.unit == "uniform" else ""

    def ends(how: Drawn) -> str:
        if maps.is_signed:
            return f"{how.curve}, −{write(how.high)} to +{write(how.high)} nats"
        return f"{look.palette}, {how.curve}, {write(how.low)} to {write(how.high)}"

    answers = [(first, maps.before.run.info.get("answer")), (second, maps.after.run.info.get("answer"))]
    low, _, high = signed_labels(difference)
    second_range = f" and {ends(after)}" if maps.is_side_by_side else ""
    between = "" if maps.is_side_by_side else f" difference: {low} to {high}, {_scale_words(maps, is_own)};"
    image = maps.before.image
    return [
        f"{info['model']['id']} · {_compared_words(maps, first, second)}",
        *asked_words(info.get("prompt"), answers),
        effect_subject(maps.before) if maps.is_signed else subject_words(maps.before, maps.predicts_the_same),
        f"{image_words(maps.before)}: {rows}×{cols} cells. {_apart(maps, first, second)}",
        *([] if maps.comparison.have_one_picture(maps.left, maps.right) else [f"{first} and {second} read {OTHERS}."]),
        *_region_words(maps),
        *([EFFECT_CAUTION] if maps.is_signed else _sink_words(maps, look)),
        f"maps: {ends(before)}{second_range}{even};{between} {ground_words(look)}",
        *dict.fromkeys(said for side in (maps.before, maps.after) for said in place_words(side.run.info, look, image)),
        f"comparison {info['id']} · float32, {_from_words(maps)} of both · {_whose_words(maps)} · {ONE_INPUT}",
    ]


def _compared_words(maps: ComparedMaps, first: str, second: str) -> str:
    """The two members, and of which tower, layer and head they are."""
    if maps.is_side_by_side:
        return f"{' beside '.join(_names_at(maps))} · {maps.before.tower} tower"
    where = effect_where(maps.before) if maps.is_signed else where_words(maps.before)
    return f"{second} against {first} · {where}"


def _region_words(maps: ComparedMaps) -> list[str]:
    """Sentences on what is read in the region, or of effects on the forecast of hiding it."""
    both = maps.before, maps.after
    if maps.is_signed:
        return [f"{name}: {said}" for name, of in zip(_names(maps), both, strict=True) for said in effect_in_region(of)]
    names = _names_at(maps) if maps.is_side_by_side else None
    return region_words(list(zip(both, maps.values, strict=True)), names)


def _from_words(maps: ComparedMaps) -> str:
    return "from the forecasts" if maps.is_signed else "from queries and keys"


def _apart(maps: ComparedMaps, first: str, second: str) -> str:
    """Sentence on what lies between the two."""
    if maps.is_same:
        return f"{first} and {second} are exactly the same here: the difference is 0 everywhere."
    parts = []
    on_row, on_image = maps.divergences()
    if maps.are_shares:
        there, here = maps.masses()
        parts.append(f"image mass {format_percent(there)} → {format_percent(here)}")
    if not np.isnan(on_image):
        parts.append(f"on the picture {format_value(on_image)} bits apart")
    if not np.isnan(on_row):
        parts.append(f"in the whole row {format_value(on_row)} bits")
    cells = maps.before.cells()
    peak = np.argmin if maps.is_signed else np.argmax  # where the answer would lose most
    peaks = [np.unravel_index(peak(values[cells]), cells.shape) for values in maps.values]
    before, after = (f"row {row}, col {col}" for row, col in peaks)
    most = "would lose most by" if maps.is_signed else "most on"
    parts.append(f"both {most} {before}" if before == after else f"{most} {before} → {after}")
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}."


def _sink_words(maps: ComparedMaps, look: Look) -> list[str]:
    if maps.before.key is not None:
        return []
    both = [
        on_sinks(selection, values, maps.sinks(selection))
        for values, selection in zip(maps.values, (maps.before, maps.after), strict=True)
    ]
    learned = learned_sink_words(list(zip((maps.before, maps.after), maps.rows, strict=True)))
    if maps.is_side_by_side and not any(each.count for each in both):
        return learned  # of two layers
    return [
        sinks_sentence(maps.before.layer, maps.before.head, maps.before.are_shares, both, look.sinks),
        *learned,
    ]


def _difference_note(maps: ComparedMaps, difference: DrawnDifference, is_own: bool) -> str:
    return f"{bar_note(difference, EFFECT if maps.is_signed else 'attention')}, {_scale_words(maps, is_own)}"


def _scale_words(maps: ComparedMaps, is_own: bool) -> str:
    if maps.is_same:
        return "no difference anywhere"
    return "on a scale of its own" if is_own else "same scale as the maps"


def _whose_words(maps: ComparedMaps) -> str:
    """Sentence on whose answer was read by the members."""
    info = maps.comparison.info
    words, shared = info["words"], info["shared_tokens"]
    if words == "own":
        return f"each read its own answer; compared are the {shared} tokens that all have in common"
    if not any(token["role"] in ("answer", "thinking") for token in maps.comparison.base.info["tokens"]):
        return "the prompt alone was read"
    names = member_names(info["members"])
    whose = {"base": "the base's answer", "typed": "the answer that was given"}.get(words)
    return f"all read {whose or 'the answer of ' + list(names.values())[words]}"

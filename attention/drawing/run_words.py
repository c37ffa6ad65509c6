"""The words below a map: whose it is, how it is drawn, what is hatched and what was left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attention.coordinates import because_words, is_space, space_words
from attention.places.of_run import picture_of, places_of
from attention.runs.run import is_reduction
from attention.runs.selection import Selection

from .colour_range import Drawn
from .look import Look
from .number_text import format_percent, format_seconds, format_strength, format_times, format_value

GIVEN_ANSWER = "given answer, not its own"
ASKED_SIGNS = 300  # of a question or an answer below a map
SAID = ("palette", "opacity", "unit", "curve", "sinks", "smooth", "plain")


def look_settings(look: Look) -> dict:
    """Settings by which a map was drawn, beside its range."""
    return {name: value for name, value in look.to_dict().items() if name in SAID}


def named_places(info: dict, look: Look) -> dict[str, list[dict]]:
    """The answer's `points`, `boxes` and `unplaced` as a run has them, or with numbers read as the look has it.

    Those of an answer that a member of a comparison has not read stay as they are. Raises NotInRun where the run cannot
    be read anew.
    """
    is_as_written = look.coordinates is None or info.get("has_own_places")
    fields = info if is_as_written else places_of(info, look.coordinates or "auto").fields()
    return {name: fields.get(name) or [] for name in ("points", "boxes", "unplaced")}


def place_words(info: dict, look: Look, image: int) -> list[str]:
    """Sentences on what numbers of places on a picture were read as, and why other places are not drawn on it."""
    if not (look.places or look.places_on):
        return []
    named = named_places(info, look)
    of = picture_of(info["images"][image])
    here = [place for place in (*named["points"], *named["boxes"]) if place["image"] == image]
    read_as = {
        (place["coordinates"], place.get("because") or ""): None for place in here if is_space(place.get("coordinates"))
    }
    family = info["model"].get("family")
    left = [place for place in named["unplaced"] if not (look.places_on and place.get("on"))]
    return [
        *(
            f"places of the answer read as {space_words(space, of.given, of.read)}, {because_words(because, family)}"
            for space, because in read_as
        ),
        *(
            f"{n} place{'' if n == 1 else 's'} of the answer on no picture: {why}"
            for why, n in Counter(place["why"] for place in left).items()
        ),
    ]


def caption_of(selection: Selection, look: Look, how: Drawn, values: np.ndarray, source: str) -> list[str]:
    """Sentences on what a map is of and how it is drawn."""
    info = selection.run.info
    cells = values[selection.cells()]
    total = float(cells.sum())
    held = f", hold {format_percent(total)} of the row" if selection.are_shares else f", sum {format_value(total)}"
    held = held if selection.key is None else ""
    write = format_times if how.unit == "uniform" else format_value
    rows, cols = how.values.shape
    even = " even attention" if how.unit == "uniform" else ""
    colours = f"{look.palette}, {how.curve}, {write(how.low)} to {write(how.high)}{even}"
    sinks = on_sinks(selection, values)
    if look.sinks == "renormalised" and sinks.row_mass > 0:
        colours += f", values divided by the {format_percent(max(0.0, 1 - sinks.row_mass))} of the row not on sinks"
    said = (selection.layer, selection.head, selection.are_shares, [sinks], look.sinks)
    return [
        f"{model_words(info)} · {where_words(selection)}",
        *asked_words(info.get("prompt"), [("", info.get("answer"))], bool(info.get("forced"))),
        subject_words(selection),
        f"{image_words(selection)}: {rows}×{cols} cells{held}",
        *([sinks_sentence(*said)] if selection.key is None else []),
        *learned_sink_words([(selection, values)]),
        *region_words([(selection, values)]),
        f"{colours}, {ground_words(look)}",
        *place_words(info, look, selection.image),
        f"run {info['id']} · {'float16, as stored' if source == 'stored' else 'float32, from queries and keys'}",
    ]


def region_words(
    rows: Sequence[tuple[Selection, np.ndarray]], names: Sequence[str] | None = None
) -> list[str]:  # fmt: skip
    """A sentence on how much of what is read of pictures lies in the region, of one row or of two; none without one.

    The page's (assets/viewer/text/map.js). `rows` are selections with their values [keys]; `names` what each is called,
    where they are of different heads.
    """
    region = rows[0][0].region
    if region is None or any(not selection.are_shares or selection.received for selection, _ in rows):
        return []
    found = [selection.in_region(values) for selection, values in rows]
    if any(math.isnan(each["region_share"]) for each in found):
        return []
    said = [format_percent(each["region_share"]) for each in found]
    named = None if names is None else "; ".join(f"{name}: {share}" for name, share in zip(names, said, strict=True))
    shares = named or " → ".join(said)
    is_box = len(region.place) == 4
    where = (
        f"{'in' if is_box else 'at'} {in_quotes(region.label)}"
        if region.label
        else f"in the {'box' if is_box else 'cell'}"
    )
    sides = ", ".join(f"{side:g}" for side in region.place)
    return [
        f"{where} ({sides} px): {shares} of what is read of pictures (chance {format_percent(found[0]['uniform'])})"
    ]


def asked_words(prompt: str | None, answers: Sequence[tuple[str, str | None]], is_given: bool = False) -> list[str]:
    """Sentence on the question and on what was answered, none where there is neither.

    `answers` are names of who answered, and what; equal ones are said once, without a name. `is_given` says that the
    answer is not the model's own.
    """
    asked, *said = (" ".join((text or "").split()) for text in (prompt, *(text for _, text in answers)))
    parts = [f"prompt: {in_quotes(asked, ASKED_SIGNS)}"] if asked else []
    are_equal, what = len(set(said)) == 1, GIVEN_ANSWER if is_given else "answer"
    for name, answer in [("", said[0])] if are_equal else zip((name for name, _ in answers), said, strict=True):
        parts += [f"{what}{name and ' of '}{name}: {in_quotes(answer, ASKED_SIGNS)}"] if answer else []
    return [" · ".join(parts)] if parts else []


def ground_words(look: Look) -> str:
    """Words on how a map lies on its picture."""
    lies = "without its picture" if look.plain else f"opacity {look.opacity:g}"
    return lies + ("; smoothed between the cells' centres" if look.smooth else "")


def model_words(info: dict) -> str:
    """The model that made a run, with the adapter that was attached."""
    model, adapter = info["model"]["id"], info.get("adapter")
    if not adapter:
        return model
    scale = adapter.get("scale")
    strength = f" {format_strength(scale)}" if isinstance(scale, int | float) and scale != 1 else ""
    return f"{model} with {adapter['id']}{strength}"


def map_sentence(selection: Selection, values: np.ndarray) -> str:
    """Sentence on what a map says: where it was read from, never why. `values` are [keys].

    Nearly the page's (assets/viewer/text/map.js): which head comes first, and when it read comes last.
    """
    cells = values[selection.cells()]
    who, total = _head_words(selection.layer, selection.head), float(cells.sum(dtype=np.float64))
    key_words = in_quotes(selection.texts[0]) if selection.texts and selection.texts[0] else f"position {selection.key}"
    if not total > 0:
        if selection.key is not None:
            return f"{who}: no cell here reads {key_words}"
        return f"{who}: nothing on this picture, {_moment_words(selection)}"
    row, col = divmod(int(cells.argmax()), cells.shape[1])
    most = format_value(float(cells.max()))
    if selection.key is not None:
        return f"{who}: of the cells here row {row}, col {col} reads {key_words} most, {most} of its row"
    if not selection.are_shares:
        shares = np.cumsum(np.sort(cells, axis=None)[::-1], dtype=np.float64)
        half = int(np.searchsorted(shares, shares[-1] / 2)) + 1
        where = f"half of what is drawn on {half} of {cells.size} cells; the most on row {row}, col {col}, {most}"
        return f"{who}: {where}, {_moment_words(selection)}"
    grids = selection.run.grids(selection.tower)
    where = "the picture"
    if len(grids) > 1:
        keys = np.unique(np.concatenate([selection.run.cells(i).reshape(-1) for i in grids]))
        where = f"this picture ({format_percent(float(values[keys].sum(dtype=np.float64)))} on all)"
    return f"{who}: {format_percent(total)} of its attention on {where}, {_moment_words(selection)}"


def _head_words(layer: int | str, head: int | str) -> str:
    if not is_reduction(layer):
        return f"the {head} over heads of layer {layer}" if is_reduction(head) else f"layer {layer}, head {head}"
    if not is_reduction(head):
        return f"the {layer} over layers of head {head}"
    return f"the {layer} over all heads" if layer == head else f"the {layer} over layers of the {head} over heads"


def _moment_words(selection: Selection) -> str:
    """The moment at which this row was read, in the page's words."""
    start = selection.query
    assert start is not None  # of a row
    if selection.texts is None:
        keys = selection.run.info["towers"][selection.tower]["keys"]
        cell = keys[start] if isinstance(keys, list) and selection.until is None else None
        return f"from the patch at row {cell['row']}, col {cell['col']}" if cell else f"from position {start}"
    own, predicted = selection.texts
    answer = [token["index"] for token in selection.run.info["tokens"] if token["role"] in ("answer", "thinking")]
    if predicted and answer and start + 1 >= answer[0]:
        return f"while writing {in_quotes(predicted)}"
    return f"at {in_quotes(own)}" if own else f"at position {start}"


def where_words(selection: Selection) -> str:
    """The tower, layer and head of a map."""
    return f"{selection.tower} tower · {head_words(selection, ' · ')}"


def head_words(selection: Selection, between: str = " ") -> str:
    """The layer and head of a map."""
    return between.join(
        f"{choice} over {what}s" if is_reduction(choice) else f"{what} {choice}"
        for what, choice in (("layer", selection.layer), ("head", selection.head))
    )


def image_words(selection: Selection) -> str:
    """Words on the picture, tile or frame that a map is on."""
    record = selection.run.info["grids"][selection.grid]
    if record["kind"] == "frame":
        pictures = record.get("images") or [record["image"]]
        numbers = (
            f"frames {pictures[0] + 1}\u2013{pictures[-1] + 1}" if len(pictures) > 1 else f"frame {pictures[0] + 1}"
        )
        at = record.get("time_s")
        shown = f", on frame {selection.image + 1}" if len(pictures) > 1 else ""
        return numbers + ("" if at is None else f" at {format_seconds(at)}") + shown
    return f"image {record['image'] + 1}" + ("" if record["kind"] == "whole" else f" ({record['kind']})")


def subject_words(selection: Selection, with_predicted: bool = True) -> str:
    """Words on what reads, or is read, and what its row predicts."""
    if selection.received:
        return "what each key receives, mean over all queries"
    start, until = selection.position, selection.until
    what = ("row", "rows") if selection.key is None else ("position", "positions")
    where = f"{what[0]} {start}" if until is None else f"mean of {what[1]} {start} to {until}"
    if selection.texts is None:
        keys = selection.run.info["towers"][selection.tower]["keys"]
        cell = keys[start] if isinstance(keys, list) and start is not None and until is None else None
        own = f" (cell at row {cell['row']}, col {cell['col']})" if cell else ""
    else:
        own = f" {in_quotes(selection.texts[0])}"
        own += f", predicts {in_quotes(selection.texts[1])}" if selection.texts[1] and with_predicted else ""
    return f"{'reads from' if selection.key is None else 'is read by'}: {where}{own}"


def in_quotes(text: str, most: int = 60) -> str:
    return f"“{text if len(text) <= most else text[: most - 1] + '…'}”"


@dataclass(frozen=True)
class OnSinks:
    """Attention of one map that lies on attention sinks.

    `count` of its cells are sinks, which hold `mass` of the `total` of all of its cells; `row_mass` is the mass of the
    whole row on sinks, 0 of values that are no shares of one row.
    """

    count: int
    mass: float
    total: float
    row_mass: float = 0.0


def on_sinks(selection: Selection, values: np.ndarray, sinks: Sequence[int] | np.ndarray | None = None) -> OnSinks:
    """Attention on sinks in a map of `values` [keys]; `sinks` are keys, by default those of its layer."""
    cells = selection.cells()
    is_sink = np.isin(cells, selection.sinks if sinks is None else sinks)
    mass, total = (float(part.sum(dtype=np.float64)) for part in (values[cells][is_sink], values[cells]))
    return OnSinks(int(is_sink.sum()), mass, total, selection.sink_mass(values, sinks))


def learned_sink_words(rows: Sequence[tuple[Selection, np.ndarray]]) -> list[str]:
    """A sentence on what of a row, or of two, lies on learned sinks; none where there are none.

    `rows` are selections with their values [keys].
    """
    masses = [
        max(0.0, 1 - float(values.sum(dtype=np.float64)))
        if selection.are_shares and selection.run.has_learned_sink(selection.layer, selection.tower)
        else None
        for selection, values in rows
    ]
    return [learned_sink_sentence(masses)] if any(mass is not None for mass in masses) else []


def learned_sink_sentence(masses: Sequence[float | None]) -> str:
    """Sentence on the share of a row, or of two, that is on a sink that is no key: the page's.

    (assets/viewer/text/sinks.js) None where a row's layer has no such sink.
    """
    shares = " → ".join(format_percent(mass or 0.0) for mass in masses)
    return f"{shares} of the row is on a learned sink, which is no token."


def sinks_sentence(layer: int | str, head: int | str, are_shares: bool, maps: Sequence[OnSinks], mode: str) -> str:
    """Sentence on what of one map, or of two set against each other, lies on sinks, and what is done about it.

    The same as on the page (assets/viewer/text/sinks.js). `mode` is the look's `sinks`; `are_shares` says that the
    values are shares of one row.
    """
    if not any(each.count for each in maps):
        return f"No sink cells in {'any' if is_reduction(layer) else 'this'} layer."
    is_divided = mode == "renormalised" and any(each.row_mass > 0 for each in maps)
    done = "hatched, the rest divided by what is left" if is_divided else "hatched, outside the colours"
    done = "drawn as they are" if mode == "raw" else done
    shares = [format_percent(each.mass / each.total if each.total > 0 else 0.0) for each in maps]
    if len(maps) == 2:
        whose = "the image attention" if are_shares else "what is drawn"
        both = " → ".join(f"{share} on {each.count}" for share, each in zip(shares, maps, strict=True))
        return f"Of {whose} {both} sink cells: {done}. An object that every row looks at can be one."
    whose = "this image attention" if is_reduction(head) else "this head's image attention"
    whose = whose if are_shares else "what is drawn"
    return f"{shares[0]} of {whose} is on {maps[0].count} sink cell{'' if maps[0].count == 1 else 's'}: {done}."

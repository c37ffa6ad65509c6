"""The words below a map of effects: of which target, which rows, how far the colours go, and what it is not.

Knows a selection of a run with effects in the place of attention, as `attention.readings.as_forecast` has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from attention.readings.as_forecast import RunAsForecast
from attention.runs.selection import Selection

from .colour_range import Drawn
from .look import Look
from .number_text import format_value
from .run_words import asked_words, ground_words, image_words, in_quotes, model_words, place_words, where_words

EFFECT = "effect, nats"
EFFECT_CAUTION = "A forecast of small changes, no explanation."
MINUS = "−"
MOST_NAMED = 3  # of a target's parts; of more the first ones, and how many more


def effect_caption(selection: Selection, look: Look, how: Drawn, values: np.ndarray) -> list[str]:
    """Sentences on what a map of effects is of and how it is drawn."""
    info, (rows, cols) = selection.run.info, how.values.shape
    end = format_value(how.high)
    total = float(values[selection.cells()].sum(dtype=np.float64))
    return [
        f"{model_words(info)} · {effect_where(selection)}",
        *asked_words(info.get("prompt"), [("", info.get("answer"))], bool(info.get("forced"))),
        effect_subject(selection),
        f"{image_words(selection)}: {rows}×{cols} cells, sum {signed(total)} nats",
        *effect_in_region(selection),
        f"{how.curve}, {MINUS}{end} to +{end} nats, 0 in the middle, {ground_words(look)}",
        *place_words(info, look, selection.image),
        *effect_caution(selection),
        f"{EFFECT_CAUTION} run {info['id']} · forecast {_settings(selection)['reading']} · float32",
    ]


def effect_caution(selection: Selection) -> list[str]:
    """A sentence where the answer is so certain that its forecast says little; none elsewhere."""
    run = selection.run
    return [run.forecast.caution] if isinstance(run, RunAsForecast) and run.forecast.caution else []


def effect_subject(selection: Selection) -> str:
    """Sentence on the target, who would read what a little less, and what the sign says."""
    return (
        f"forecast, first order: what the {_target(selection)} would change by if {_who(selection)} a little less; "
        "negative (blue): the answer would lose"
    )


def effect_sentence(selection: Selection, values: np.ndarray) -> str:
    """Sentence on the cell that would cost the answer most."""
    cells = values[selection.cells()]
    who, least = effect_where(selection).replace(" · ", ", "), float(cells.min(initial=0))
    if not least < 0:
        return f"Forecast, {who}: no cell here would cost the answer anything"
    row, col = divmod(int(cells.argmin()), cells.shape[1])
    return f"Forecast, {who}: row {row}, col {col} would cost the answer most, {signed(least)} nats"


def effect_in_region(selection: Selection) -> list[str]:
    """A sentence on the forecast of hiding the selection's region; none without one."""
    run, region = selection.run, selection.region
    if region is None or not isinstance(run, RunAsForecast):
        return []
    total = signed(float(run.knock_out(region, selection.tower).sum(dtype=np.float64)))
    where = in_quotes(region.label) if region.label else f"the {'box' if len(region.place) == 4 else 'cell'}"
    sides = ", ".join(f"{side:g}" for side in region.place)
    return [f"forecast of hiding {where} ({sides} px) from all rows outside it, all layers and heads: {total} nats"]


def signed(value: float) -> str:
    """A number with its sign: +0.123, −3.32e-5, 0."""
    if not math.isfinite(value) or value == 0:
        return format_value(value)
    return f"{MINUS if value < 0 else '+'}{format_value(abs(value))}"


def effect_where(selection: Selection) -> str:
    """The tower, layer and head of a map: effects are summed, and `max` is the one farthest from 0."""
    return where_words(selection).replace("mean over", "sum over").replace("max over", "largest over")


def _settings(selection: Selection) -> dict:
    return selection.run.reading_settings()


def target_name(texts: Sequence[str], target: Sequence[int]) -> str:
    """Names of a target's tokens, ascending, by the texts of all: neighbours as one, others apart; three at most."""
    spans: list[list[int]] = []
    for token in target:
        if spans and token == spans[-1][-1] + 1:
            spans[-1].append(token)
        else:
            spans.append([token])
    names = [in_quotes(_bare("".join(texts[token] for token in span))) for span in spans]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _bare(text: str) -> str:
    """A text without the space before its first word and after its last."""
    return text.removeprefix(" ").removesuffix(" ") if text.strip() else text


def _target(selection: Selection) -> str:
    """Words on what is asked about."""
    settings = _settings(selection)
    text = target_name([token["text"] for token in selection.run.info["tokens"]], settings["target"])
    if "against" in settings:
        run = selection.run
        other = run.forecast.info.get("other") if isinstance(run, RunAsForecast) else None  # older ones do not know
        name = f"token {settings['against']}" if other is None else in_quotes(_bare(other))
        return f"logit of {text} less that of {name}"
    return f"log-probability of {text}"


def _who(selection: Selection) -> str:
    """Words on who would read what."""
    first, until = selection.position, selection.until
    if selection.key is not None:
        keys = f"keys {first} to {until}" if until is not None else f"key {first}"
        own = f" {in_quotes(selection.texts[0])}" if selection.texts else ""
        return f"each cell read {keys}{own}"
    if first is None:
        return "all rows together read a cell"
    rows = f"rows {first} to {until}" if until is not None else f"row {first}"
    own = f" {in_quotes(selection.texts[0])}" if selection.texts else ""
    return f"{rows}{own} read a cell"

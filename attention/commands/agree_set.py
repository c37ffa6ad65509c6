"""`agree` over a set: agreement of maps, curves, silenced heads and layers drawn anew, as tables, JSON or CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import Interrupted, InvalidRequest, shown_path

from .agree import COLUMNS, TRUTHS, plain, print_table
from .output import print_json
from .progress import Progress

CURVE_COLUMNS = ("area under the curve", "deletion", "insertion")
CASCADE_COLUMNS = ("drawn anew from layer", "log-probability")
CSV_COLUMNS = ("table", "map", "truth", "measure", "at", "mean", "low", "high", "n")


def of_set(options, progress: Progress) -> int:
    """Measure every question of a set, and print what is said of all of them."""
    from attention.effects.over_set import over_set
    from attention.effects.set_reports import cascades_over_set, curves_over_set, silenced_over_set
    from attention.models import loading as models
    from attention.models.offered import default_model
    from attention.scoring.agreed_items import Measures, agree_on_items
    from attention.scoring.item_rows import scores_folder
    from attention.scoring.items import BadItem
    from attention.scoring.reading import read_items, sampled

    items = read_items(options.jsonl)
    items = items if options.sample is None else sampled(items, options.sample, options.seed)
    refused = {item.name: item.reason for item in items if isinstance(item, BadItem)}
    questions = [item for item in items if not isinstance(item, BadItem)]
    folder = None if options.output_dir is None else scores_folder(options.output_dir)
    model = models.load(options.model or default_model(), options.device, options.dtype, options.model_type)
    measures = Measures(
        options.sides, not options.no_paint, tuple(options.curves), options.silence, options.reinitialise,
        options.max_new_tokens, options.seed,
    )  # fmt: skip
    try:
        found, why = agree_on_items(
            questions, model, measures, folder, lambda done, total: progress.count("Measuring", done, total)
        )
    except KeyboardInterrupt:
        if folder is None:
            raise
        raise Interrupted(
            f"Stopped. What is done is kept in {shown_path(folder)}: the same command goes on from there."
        ) from None
    refused |= why
    progress.end()
    if len(found) < 2:
        said = "".join(f" {name}: {reason}" for name, reason in list(refused.items())[:3])
        raise InvalidRequest(f"Agreement over a set needs two inputs at least; {len(found)} could be used.{said}")
    groups = np.array([each.group for each in found])
    record: dict[str, Any] = {"set": options.jsonl, "items": [each.name for each in found], "refused": refused}
    rows = over_set([each.agreeing for each in found], list(groups), options.seed).rows
    record["agreement"] = {name: {truth: plain(each) for truth, each in row.items()} for name, row in rows.items()}
    record["curves"] = {
        by: curves_over_set([each.curves[by] for each in found], groups, options.seed) for by in options.curves
    }
    silenced = [each.silenced for each in found if each.silenced is not None]
    if silenced:
        record["silenced"] = {"n": options.silence, **silenced_over_set(silenced, groups, options.seed)}
    cascades = [each.cascade for each in found if each.cascade is not None]
    if cascades:
        record["reinitialised"] = cascades_over_set(cascades, groups, options.seed)
    if options.csv is not None:
        _write_csv(Path(options.csv), record)
    if options.json:
        print_json(record)
    else:
        _say(options, record)
    return 0


def _say(options, record: dict[str, Any]) -> None:
    from attention.effects.over_set import SET_NAMES
    from attention.effects.reinitialised import CASCADE_NAMES

    n = len(record["items"])
    print(f"{n} inputs of {Path(options.jsonl).name}, {options.sides} x {options.sides} regions each.")
    rows = []
    for name, row in record["agreement"].items():
        cells = []
        for truth in TRUTHS:
            each = row.get(truth)
            cells += ["", ""] if each is None else [_named(each, "rank"), _named(each, "hits")]
        rows.append((SET_NAMES[name], *cells))
    print_table(rows, 3 if options.no_paint else len(COLUMNS))
    for by, found in record["curves"].items():
        print(f"\nRegions {by} one after the other, as each map orders them; the answer's probability.")
        rows = [
            (SET_NAMES[name], *(_interval(found[name][kind]["area"]) for kind in CURVE_COLUMNS[1:])) for name in found
        ]
        print_table(rows, len(CURVE_COLUMNS), CURVE_COLUMNS)
    if silenced := record.get("silenced"):
        heads, others = (_interval(silenced[name], "+.3g") for name in ("heads", "others"))
        draws = f"mean of {silenced['draws']} draws, whose mass differs by up to {silenced['gap'] or 0:.0%}"
        print(
            f"\nThe {silenced['n']} heads of the largest forecast silenced: {heads} nats; as many that read as much: "
            f"{others} ({draws}). They cost more in a share of {_interval(silenced['worse'])}; the answer changes in "
            f"{_interval(silenced['changed'])}."
        )
    if steps := record.get("reinitialised"):
        print("\nLayers drawn anew, the last ones first: rank correlation of cells with the whole model's map.")
        columns = (*CASCADE_COLUMNS, *CASCADE_NAMES.values())
        rows = [
            (str(step["layer"]), _interval(step["value"]), *(_interval(each) for each in step["maps"].values()))
            for step in steps
        ]
        print_table(rows, len(columns), columns)
    for name, why in record["refused"].items():
        print(f"{name}: {why}")


def _named(row: dict[str, Any], name: str) -> str:
    return _interval({"mean": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]})


def _interval(row: dict[str, Any], form: str = ".2f") -> str:
    mean, low, high = (
        "-" if row[name] is None or row[name] != row[name] else format(row[name], form)
        for name in ("mean", "low", "high")
    )
    return f"{mean} [{low}, {high}]"


def _write_csv(path: Path, record: dict[str, Any]) -> None:
    """Write every number of a record with its interval, one a line."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(CSV_COLUMNS)
            writer.writerows(_lines(record))
    except OSError as error:
        raise InvalidRequest(f"{shown_path(path)} cannot be written: {error.strerror or error}.") from None


def _lines(record: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for name, row in record["agreement"].items():
        for truth, each in row.items():
            for measure in ("rank", "hits"):
                numbers = (each[measure], each[f"{measure}_low"], each[f"{measure}_high"], each["n"])
                yield ("agreement", name, truth, measure, "", *numbers)
    for by, maps in record["curves"].items():
        for name, kinds in maps.items():
            for kind, found in kinds.items():
                yield ("area", name, by, kind, "", *_numbers(found["area"]))
                steps = len(found["curve"]["mean"]) - 1
                for step in range(steps + 1):
                    at = {key: each[step] for key, each in found["curve"].items()}
                    yield ("curve", name, by, kind, round(step / steps, 6), *_numbers(at))
    if silenced := record.get("silenced"):
        for measure in ("heads", "others", "difference", "worse", "changed"):
            yield ("silenced", "", "", measure, silenced["n"], *_numbers(silenced[measure]))
    for step in record.get("reinitialised", ()):
        yield ("reinitialised", "", "", "value", step["layer"], *_numbers(step["value"]))
        for name, each in step["maps"].items():
            yield ("reinitialised", name, "", "rank", step["layer"], *_numbers(each))


def _numbers(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple("" if row[name] is None else row[name] for name in ("mean", "low", "high", "n"))

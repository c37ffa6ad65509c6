"""Scores as the page shows them: what scores.json says of models and pairs, and each item with its numbers in short.

Owns that object. Of an item and a model it has what the head gives that was found without the item's picture, so that
the mean over the items is what scores.json says of the model. Rows are read one by one, and of each only this is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from attention.errors import DamagedRun, shortened, shown_path
from attention.limits import MAX_LISTED_TEXT
from attention.measures.over_items import first_half

from .item_rows import rows_of
from .names import PEAK, SHARE, TOUCH
from .scores import pictures, read_index

SHOWN = {"share": SHARE, "peak": PEAK, "touch": TOUCH}
OF_AN_ITEM = ("image", "prompt", "place", "size")
OF_A_ROW = ("outcome", "answer", "forced", "row", "run", "error")
Head = tuple[int, int]  # layer, by its index in the model, and head


def item_table(folder: Path) -> dict[str, Any]:
    """Scores of a folder in short: what scores.json has, but of `items` what a person is shown, and no `bad`.

    An item is {name, image, picture, prompt, place, size, models}; of each of `models`, in their order, {error}, or
    {outcome, answer, forced, row, run, layer, head, share, peak, touch, change}: measures of the found head, None where
    none was found or nothing was read. `change` is that of the share from the base, at the base's found head; None
    where the models have other heads. `run` is the folder of its kept run, None where it is not there.

    Raises DamagedRun.
    """
    info = read_index(folder)
    try:
        return _table(folder, info)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DamagedRun(
            f"The scores in {shown_path(folder)} are not whole ({type(error).__name__}: {shortened(str(error))}). "
            "Score the set again."
        ) from None


def _table(folder: Path, info: dict[str, Any]) -> dict[str, Any]:
    models, items = info["models"], info["items"]
    heads = {
        model["member"]: [(each["layer"], each["head"]) for each in (model.get("found") or {}).get("heads", ())]
        for model in models
    }
    base = models[0]["member"]
    alike = {
        each["member"] for each in models if _shape(each) == _shape(models[0])
    }  # in which the base's heads are too
    wanted: dict[str, set[Head]] = {}
    for item in items:
        for member, key in item["keys"].items():
            wanted.setdefault(key, set()).update(heads[member], heads[base] if member in alike else ())
    found = {row["key"]: _short(row, wanted[row["key"]]) for row in rows_of(folder) if row["key"] in wanted}
    missing = next((item["name"] for item in items for key in item["keys"].values() if key not in found), None)
    if missing is not None:
        raise KeyError(f"the row of {missing}")
    by_model = [_of_model(folder, model["member"], heads[model["member"]], info, found) for model in models]
    for model, own in zip(models[1:], by_model[1:], strict=True):
        for item, before, said in zip(items, by_model[0], own, strict=True):
            head = before.get("layer"), before.get("head")
            after = found[item["keys"][model["member"]]].get("at", {}).get(head, {}).get("share")
            is_both = None not in (after, before.get("share")) and model["member"] in alike
            if "error" not in said:
                said["change"] = after - before["share"] if is_both else None
    rows = []
    for item, *own in zip(items, *by_model, strict=True):
        described = next((found[key] for key in item["keys"].values() if found[key]["place"] is not None), {})
        said = {name: described.get(name) for name in OF_AN_ITEM}
        said |= {"prompt": _line(said["prompt"]), "picture": item["picture"]}
        rows.append({"name": _line(item["name"]), **said, "models": own})
    return {name: value for name, value in info.items() if name not in ("items", "bad")} | {"items": rows}


def _shape(model: dict[str, Any]) -> tuple[Any, ...]:
    return model.get("tower"), model.get("layers"), model.get("n_heads")


def _short(row: dict[str, Any], heads: set[Head]) -> dict[str, Any]:
    """A row of items.jsonl without its tables: of these only what some heads have."""
    short = {name: row.get(name) for name in (*OF_AN_ITEM, *OF_A_ROW)}
    if short["error"] is None:
        short["at"] = {
            (layer, head): {
                name: row["measures"][measure][row["layers"].index(layer)][head] for name, measure in SHOWN.items()
            }
            for layer, head in heads
        }
    return short


def _of_model(
    folder: Path, member: str, heads: list[Head], info: dict[str, Any], found: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """A model on every item."""
    rows = [found[item["keys"][member]] for item in info["items"]]
    own = _own_heads([row["error"] is None for row in rows], heads, info)
    return [_said(folder, row, head) for row, head in zip(rows, own, strict=True)]


def _own_heads(is_scored: list[bool], heads: list[Head], info: dict[str, Any]) -> list[Head | None]:
    """Heads that were found without each item's picture: those of the other half of the items that were scored."""
    if len(heads) < 2:
        return [None] * len(is_scored)
    half = iter(first_half(pictures(info)[np.array(is_scored, bool)], info["seed"]))
    return [heads[1 if next(half) else 0] if scored else None for scored in is_scored]


def _said(folder: Path, row: dict[str, Any], head: Head | None) -> dict[str, Any]:
    if row["error"] is not None:
        return {"error": str(row["error"])}
    layer, number = head or (None, None)
    values = row["at"][head] if head else dict.fromkeys(SHOWN)
    run = row["run"] if isinstance(row["run"], str) and (folder / row["run"]).is_dir() else None
    plain = {name: row[name] for name in ("outcome", "forced", "row")}
    return {**plain, "answer": _line(row["answer"]), "run": run, "layer": layer, "head": number, **values}


def _line(text: str | None) -> str | None:
    """A text in one line, no longer than there is room for."""
    return None if text is None else shortened(" ".join(str(text).split()), MAX_LISTED_TEXT)

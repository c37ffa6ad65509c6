"""Folders of scores made by hand: two models on six items, the first of them with kept runs of the bundled model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from attention.scoring.item_rows import ItemRows
from attention.scoring.names import BY, MEASURES
from attention.scoring.scores import Scores, write_scores

COMPARED = Path(__file__).parents[1] / "assets" / "examples" / "compared"
LAYERS, HEADS = [0, 1, 2, 3, 4], 4  # of the bundled model
STAR = [200, 80, 400, 200]
SETTINGS = {
    "model": {"id": "pocket", "revision": None}, "settings": {"mode": "generate"}, "rows": "first",
    "by": "region_share", "seed": 0,
}  # fmt: skip
MODELS = [
    {"member": "base", "name": "base", "adapter": None},
    {"member": "adapter_1", "name": "largest", "adapter": {"id": "largest"}},
]
OUTCOMES = ["hit", "miss", "nothing", "hit", "uncertain"]


def made_scores(folder: Path, keeps: bool = True, n: int = 6) -> Scores:
    """Scores of n items on as many pictures; the last could not be scored. Numbers are random and mean nothing."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows, items = ItemRows(folder), []
    for number in range(n - 1):
        keys = {}
        for model in MODELS:
            key = f"{model['member']}-{number}"
            keys[model["member"]] = key
            run = f"runs/{key}" if keeps and number == 0 else None
            if run:
                shutil.copytree(COMPARED / model["member"], folder / run)
            shape = (len(LAYERS), HEADS)
            rows.add(
                {
                    "key": key,
                    "member": model["member"],
                    "name": f"line {number}",
                    "image": f"/gone/{number}.png",
                    "picture": f"{number:064}",
                    "size": [960, 640],
                    "prompt": f"which one? <b>bold</b> {'abcdef'[number % 6]}",
                    "place": STAR,
                    "model_id": "pocket",
                    "revision": None,
                    "adapter": model["adapter"],
                    "tower": "language",
                    "layers": LAYERS,
                    "row": 92,
                    "until": None,
                    "answer": f"{model['name']} {number}",
                    "forced": False,
                    "outcome": OUTCOMES[number % 5],
                    "uniform": 0.1,
                    "central": 0.2,
                    "measures": {name: rng.random(shape).round(3).tolist() for name in MEASURES},
                    "elsewhere": {name: rng.random(shape).round(3).tolist() for name in BY} if number else None,
                    **({"run": run} if run else {}),
                }
            )
        items.append({"name": f"line {number}", "picture": f"{number:064}", "keys": keys})
    rows.add({"key": "bad", "name": "last", "error": "There is no file <i>x.png</i>."})
    items.append({"name": "last", "picture": None, "keys": {model["member"]: "bad" for model in MODELS}})
    return write_scores(folder, SETTINGS, MODELS, items, rows)

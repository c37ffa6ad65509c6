"""Runs made by hand whose answer names a place, with numbers that can be read in every space."""

from __future__ import annotations

import json
from pathlib import Path

from made_runs import chat, scene, write_run

from attention.places.of_run import places_of

GIVEN, READ, SHAPE = (600, 300), (400, 200), (5, 10)
AT = (100, 50)  # the numbers of the answer
LIES = {"0-1": None, "0-1000": (60, 15), "read": (150, 75), "original": (100, 50)}  # in pixels of the picture


def write_clicked(folder: Path, numbers: tuple[float, float] = AT, habit: str | None = "0-1000", **more) -> Path:
    """A run that answered click(x, y) in a family that counts so; `more` are fields of its run.json."""
    x, y = map(str, numbers)
    tokens = chat([SHAPE], prompt=["where", "?"], answer=["click(", x, ", ", y, ")"])
    n_prompt = next(token["index"] for token in tokens if token["role"] == "answer")
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "where?"}]}]
    fields = {
        "prompt": "where?", "answer": f"click({x}, {y})", "messages": messages, "prompt_tokens": n_prompt,
        "coordinates": "auto", "place_habit": {"coordinates": habit, "y_first": []},
    } | more  # fmt: skip
    folder = write_run(folder, [scene(*GIVEN, 5)], [SHAPE], tokens=tokens, sharpness=1.0, **fields)
    info = json.loads((folder / "run.json").read_text())
    info["model"]["family"] = "Qwen3-VL"
    info["images"][0] |= {"read_width": READ[0], "read_height": READ[1]}
    if fields["place_habit"]:
        found = places_of(info, "auto")
        info |= found.fields() | {"notes": found.notes}
    (folder / "run.json").write_text(json.dumps(info))
    return folder

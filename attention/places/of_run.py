"""The places of a run's answer, read from what its run.json holds: while it is made, and anew in another space.

Needs no model: tokens, pictures and the family's habits are all there. Knows no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attention.coordinates import check_coordinates
from attention.errors import NotInRun
from attention.runs.run import Run

from .answer_places import Picture, Places, answer_places
from .spaces import Habit


def run_places(run: Run, coordinates: str = "auto") -> Places:
    """The places that a finished run's answer names, with its numbers read in this space: see `Places`.

    `coordinates` is `auto`, `0-1` or `0-1000` (parts of the sides), `read` or `original` (pixels as the model saw the
    picture, or of the picture as given). Raises InvalidRequest for another, NotInRun where the run does not say how
    its family writes places.
    """
    return places_of(run.info, coordinates)


def places_of(info: Mapping[str, Any], coordinates: str) -> Places:
    """The same by the content of run.json."""
    check_coordinates(coordinates)
    habit = info.get("place_habit")
    if habit is None or info.get("prompt_tokens") is None:
        raise NotInRun(
            "This run was made by an older version, and does not say how its model's family writes places. Run it "
            "again to read the answer's numbers in another way."
        )
    tokens, n_prompt = info["tokens"], info["prompt_tokens"]
    # some families write places, and thoughts, with control tokens
    answer = [token["text"] for token in tokens[n_prompt:] if token["role"] != "thinking"]
    said = max((i for i, token in enumerate(tokens[:n_prompt]) if token["role"] != "special"), default=-1)
    before = [token["text"] for token in tokens[said + 1 : n_prompt]]
    return answer_places(
        "".join(answer),
        [picture_of(image) for image in info["images"]],
        _chat(info),
        Habit(habit.get("coordinates"), frozenset(habit.get("y_first") or ())),
        before="".join(before),
        coordinates=coordinates,
    )


def _chat(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The run's messages, of which a foreign file may hold anything. Raises NotInRun for what is no chat."""
    messages = info.get("messages") or []
    for message in messages:
        content = message.get("content")
        if not isinstance(content, list) or not all(_is_entry(entry) for entry in content) or "role" not in message:
            raise NotInRun(
                "The messages of this run are no chat of texts and pictures: its places cannot be read anew."
            )
    return messages


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    return entry.get("type") in ("image", "video") or (
        entry.get("type") == "text" and isinstance(entry.get("text"), str)
    )


def picture_of(image: Mapping[str, Any]) -> Picture:
    """The sizes of a picture of run.json."""
    read = image.get("read_width"), image.get("read_height")
    return Picture((image["width"], image["height"]), (read[0], read[1]) if read[0] and read[1] else None)

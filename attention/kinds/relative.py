"""The kind `relative`: what a question makes the model read that a general one about the same picture does not."""

from __future__ import annotations

from attention.errors import InvalidRequest, quoted
from attention.fields import Field
from attention.readings.as_relative import RunAsRelative
from attention.readings.cost import cost_of_relative
from attention.readings.reading import check_asked_again
from attention.readings.relative import FLOOR, GENERAL, KIND, Relative, name_of, towers_of
from attention.runs.run import Run

from .kind import Asked, Given, Kind, Making

PROMPT = Field("prompt", str, GENERAL, f"the general question (default: {GENERAL})", "TEXT")
MOST_SIGNS = 2000  # of a general question


def read(run: Run, given: Given) -> Asked:
    """Read {prompt} as `make` takes it."""
    prompt = given.get("prompt")
    prompt = GENERAL if prompt in (None, "") else prompt
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidRequest(f"The general question is {quoted(prompt)}; it must be a text, such as {quoted(GENERAL)}.")
    if len(prompt) > MOST_SIGNS:
        raise InvalidRequest(f"The general question has {len(prompt):,} characters; the limit is {MOST_SIGNS:,}.")
    check_asked_again(run)
    towers_of(run)  # refuses a run without a picture's place
    return {"prompt": prompt}


def make(making: Making) -> Relative:
    """Make it, by one pass over the general question; see `capture.general_rows` for where it takes another."""
    from attention.capture.general_rows import read_relative

    return read_relative(
        making.run, making.asked["prompt"], model=making.model, processor=making.processor, limits=making.limits,
        folder=making.folder, partial=making.partial, adapted=making.adapted,
    )  # fmt: skip


RELATIVE = Kind(
    KIND,
    "Where does this question make the model read more, or less, than a general one about the same picture?",
    {"prompt": PROMPT},
    read,
    lambda run, asked: name_of(asked["prompt"]),
    make,
    Relative,
    lambda run, asked: cost_of_relative(run),
    lambda relative: {"prompt": relative.prompt, "floor": FLOOR, "proof": relative.info["proof"]},
    RunAsRelative,
    has_own_words=lambda asked: asked["prompt"] != GENERAL,
)

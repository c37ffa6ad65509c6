"""The kind `lens`: the words that every token's state is near to after every layer."""

from __future__ import annotations

from attention.readings.cost import cost_of_lens
from attention.readings.lens import ABOUT, KIND, Lens
from attention.readings.reading import check_asked_again
from attention.runs.run import Run

from .kind import Asked, Kind, Making


def make(making: Making) -> Lens:
    """Make it, by one pass."""
    from attention.capture.lens import read_lens

    return read_lens(
        making.run, model=making.model, processor=making.processor, limits=making.limits, folder=making.folder,
        partial=making.partial, adapted=making.adapted,
    )  # fmt: skip


def read(run: Run, _) -> Asked:
    """Read nothing: a lens is of every token and layer."""
    check_asked_again(run, ABOUT)
    return {}


LENS = Kind(
    KIND,
    "Which words is a token's state near to after each layer?",
    {},
    read,
    lambda run, asked: KIND,
    make,
    Lens,
    lambda run, asked: cost_of_lens(run),
    lambda lens: {"layers": lens.layers_read, "caution": lens.caution},
)

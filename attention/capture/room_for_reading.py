"""Room for a reading, in memory and on the disk: what does not fit is refused here, with numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

from attention.errors import LimitExceeded
from attention.limits import Limits
from attention.models.kept import LoadedModel
from attention.readings.cost import Cost
from attention.readings.reading import readings_folder
from attention.runs.run import Run

from .forecast import DescribedModel, available_memory
from .reading_memory import reading_memory

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def check_room(
    run: Run,
    cost: Cost,
    model: DescribedModel,
    limits: Limits | None = None,
    weights: int = 0,
    place: Path | None = None,
) -> int:
    """Return the bytes of memory that a reading takes beside the weights, of which so many are still to be loaded.

    `place` is where it is to lie (default: among the run's readings). Raises LimitExceeded, with the numbers, where it
    takes more memory or more of the disk than there is, or than the limits allow.
    """
    limits = limits or Limits.local(model.device)
    if cost.n_bytes > limits.run_bytes:
        raise LimitExceeded(
            f"This reading would take {sized(cost.n_bytes)} on disk ({len(run.info['tokens']):,} tokens); the limit is "
            f"{sized(limits.run_bytes)}. {_less(run, cost)}"
        )
    free = _free(place or readings_folder(run))
    if cost.n_bytes > free:
        raise LimitExceeded(
            f"This reading would take {sized(cost.n_bytes)} on disk; {sized(free)} are free there. {_less(run, cost)}"
        )
    memory = reading_memory(run, cost, model.config, model.family.towers(model.config), model.dtype.itemsize)
    available = available_memory(model.device)
    if available is not None and weights + memory > available:
        of = f"{sized(weights)} of weights, " if weights else ""
        back = ", most of it what a pass back needs of every layer" if cost.through else ""
        raise LimitExceeded(
            f"This reading needs about {sized(weights + memory)} of memory on {model.device} ({of}{sized(memory)} for "
            f"{len(run.info['tokens']):,} tokens{back}); {sized(available)} are free. {_less(run, cost)}"
        )
    return memory


def _less(run: Run, cost: Cost) -> str:
    if "vision" in cost.through:
        return "Leave its vision tower out, or ask about a run of a smaller picture."
    return "Ask about a run of fewer tokens (max_visual_tokens), or of a smaller model or dtype."


def _free(place: Path) -> int:
    """Free bytes of the disk that a folder lies on, or will."""
    there = next((folder for folder in (place, *place.parents) if folder.is_dir()), place.parent)
    return shutil.disk_usage(there).free


def sized(n_bytes: float) -> str:
    """A number of bytes in words."""
    unit, size = next((each for each in UNITS if n_bytes >= each[1]), UNITS[-1])
    return f"{n_bytes / size:,.{1 if unit == 'GB' else 0}f} {unit}"


def check_weights(loaded: LoadedModel, n_bytes: int) -> None:
    """Raise LimitExceeded, with the numbers, where a copy of so many bytes of a model's weights has no room."""
    available = available_memory(loaded.device)
    if available is not None and n_bytes > available:
        raise LimitExceeded(
            f"A copy of the language layers of {loaded.id} takes {sized(n_bytes)} of memory on {loaded.device}; "
            f"{sized(available)} are free. Choose a smaller model."
        )

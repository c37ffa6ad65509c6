"""The cost of a reading, before any weight is loaded: bytes, memory and work.

What a reading computes says `attention.readings.cost`; what does not fit is refused by `room_for_reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from attention.limits import Limits
from attention.models.download import Watch
from attention.readings.cost import Cost
from attention.runs.run import Run

from .asked_again import request_of
from .forecast import DescribedModel, forecast
from .inputs import Prepared
from .reading_memory import members_at_once
from .room_for_reading import check_room, sized
from .work import Work


@dataclass(frozen=True)
class ReadingForecast:
    """Cost of a reading: bytes on disk, and of memory with weights that are still to be loaded; work, and inputs."""

    tokens: int
    bytes_on_disk: int
    memory_bytes: int
    work: Work = field(repr=False)
    prepared: Prepared = field(repr=False)

    @property
    def words(self) -> str:
        """The cost in one line, for whoever waits."""
        passes = self.work.passes + self.work.members
        disk = f"{sized(self.bytes_on_disk)} on disk, " if self.bytes_on_disk else ""
        return f"{passes:,.0f} passes over {self.tokens:,} tokens; {disk}{sized(self.memory_bytes)} of memory at most"

    def to_dict(self) -> dict[str, float]:
        """The same for programs."""
        return {
            "tokens": self.tokens, "passes": self.work.passes, "hidden_passes": self.work.members,
            "bytes_on_disk": self.bytes_on_disk, "memory_bytes": self.memory_bytes,
        }  # fmt: skip


def forecast_reading(run: Run, cost: Cost, limits: Limits | None = None, watch: Watch | None = None) -> ReadingForecast:
    """Work out what making a reading of a run costs, from the run, its processor and its model's config alone.

    Raises LimitExceeded, with the numbers, for what does not fit, and what `forecast` raises.
    """
    expected = forecast(request_of(run), limits and limits.of_kept_pictures(), watch)
    model, work = expected.model, expected.work
    assert model is not None and work is not None  # a forecast has both
    weights = 0 if work.is_loaded else work.weight_bytes
    memory = check_room(run, cost, model, limits, weights)
    return ReadingForecast(
        len(run.info["tokens"]), cost.n_bytes, weights + memory, reading_work(run, cost, model, work), expected.prepared
    )


def reading_work(run: Run, cost: Cost, model: DescribedModel, work: Work) -> Work:
    """The work of a reading, in passes and batches over the run's own tokens; `work` is that of the run."""
    text = model.config.get_text_config(decoder=True)
    at_once = members_at_once(run, text.vocab_size, text.hidden_size, model.dtype.itemsize)
    batches = -(-cost.hidden // at_once)
    return replace(
        work,
        tokens=len(run.info["tokens"]),
        new_tokens=0,
        bytes_on_disk=cost.n_bytes,
        passes=cost.passes,
        members=cost.hidden + batches,  # the unchanged one is a member of each
        batches=batches,
    )

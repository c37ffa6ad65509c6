"""One kind of reading, as a row: its fields, its checks, its cost, and the function that makes it.

Knows no kind itself. To add one, write a module with its row beside this, and name it in `table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attention.fields import Field
from attention.readings.cost import Cost
from attention.readings.reading import Reading
from attention.runs.run import Run

if TYPE_CHECKING:
    from attention.capture.extraction import Adapted
    from attention.limits import Limits
    from attention.runs.partial import PartialRun

Given = Mapping[str, Any]  # fields as they come: of JSON, a form, a command line
Asked = dict[str, Any]  # fields that were read: plain data, which a job takes to another process


@dataclass(frozen=True)
class Making:
    """All that a reading is made of: the run, what was asked, and the job that waits for it.

    `folder` is where it is to lie, where that is not among the run's readings. `tell` takes what was found so far,
    whole each time, for whoever follows.
    """

    run: Run
    asked: Asked
    folder: Path | None = None
    partial: PartialRun | None = None
    limits: Limits | None = None
    adapted: Adapted | None = None
    model: Any = field(default=None, repr=False)
    processor: Any = field(default=None, repr=False)

    def tell(self, found: dict[str, Any]) -> None:
        if self.partial is not None:
            self.partial.tell(found)


@dataclass(frozen=True)
class Kind:
    """A kind of reading.

    Args:
        answers: a sentence that says which question it answers.
        fields: what may be asked besides the run, by name.
        read: what was asked, of fields as they were given; raises InvalidRequest or NotInRun for what is wrong.
        name_of: the name of its folder, the same for the same question.
        make: makes it, or leaves it where it is; raises what `extract` raises.
        reader: what reads that folder, with NumPy alone.
        cost: of what was asked; raises LimitExceeded, with numbers, where it cannot be had.
        describe: fields of its own in the list of readings, beside those that all have.
        rows: the run with this reading's numbers in the place of attention; None for one that has no rows.
        content: all that a small one has, as JSON.
        is_whole: whether a reading that is there answers all that is asked: one that was stopped may be gone on with.
        has_own_words: whether what is asked holds words of a person's own, which whoever has the run can then read.
    """

    name: str
    answers: str
    fields: Mapping[str, Field]
    read: Callable[[Run, Given], Asked]
    name_of: Callable[[Run, Asked], str]
    make: Callable[[Making], Any]
    reader: type[Reading]
    cost: Callable[[Run, Asked], Cost]
    describe: Callable[[Any], dict[str, Any]] = lambda _: {}
    rows: Callable[[Any], Run] | None = None
    content: Callable[[Any], dict[str, Any]] = lambda reading: reading.info
    is_whole: Callable[[Any, Asked], bool] = lambda reading, asked: True
    has_own_words: Callable[[Asked], bool] = lambda asked: False

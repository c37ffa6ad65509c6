"""Agreement on one input, kept beside its run: measured once, found when it is asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from attention.capture.extraction import Adapted, all_or_nothing
from attention.capture.kept_reading import commit_reading, found_or_made
from attention.capture.layer_writer import save_tensors
from attention.limits import Limits
from attention.readings.agreement import SIDES
from attention.readings.forecast import flat_words
from attention.readings.kept_agreement import FILE, FLAT_ORDER, KIND, KeptAgreement, agreement_name, check_sides
from attention.readings.target import Target
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .agreeing import agree
from .beside_controls import open_paths

NOT_PAINTED = "Frames of a video are not painted over: hiding alone was measured."


def keep_agreement(
    run: Run,
    target: Target | None = None,
    *,
    sides: int = SIDES,
    paints: bool = True,
    model=None,
    processor=None,
    limits: Limits | None = None,
    folder: Path | None = None,
    partial: PartialRun | None = None,
    adapted: Adapted | None = None,
    on_done: Callable[[int, int], None] | None = None,
) -> KeptAgreement:
    """Set maps of a run beside what hiding and painting regions does, as `agree`, and keep the result beside the run.

    Of a video, whose frames are not painted over, hiding alone is measured. Raises what `agree` and `check_sides` do.
    """
    target = target or Target.of(run)
    check_sides(run, sides)
    paints = paints and not run.info.get("videos")

    def fill(own: PartialRun, given) -> Path:
        with all_or_nothing(own):
            began = time.perf_counter()
            found = agree(
                run, target, sides=sides, paints=paints, model=given, limits=limits, partial=own, adapted=adapted,
                on_done=on_done,
            )  # fmt: skip
            save_tensors({"maps": torch.from_numpy(found.heads).float().contiguous()}, own.folder / FILE)
            fields = {
                "target": target.to_dict(), "value": found.value, "sides": sides, "towers": {},
                "regions": [
                    {"image": each.region.image, "box": list(each.region.place), "keys": list(each.keys)}
                    for each in found.blocks
                ],
                "measured": {name: each.tolist() for name, each in found.measured.items()},
                "maps": {name: each.tolist() for name, each in found.maps.items()},
                "paths": open_paths(run),
                "caution": flat_words(found.value, FLAT_ORDER) if target.against is None else "",
                "note": NOT_PAINTED if run.info.get("videos") else "",
            }  # fmt: skip
            return commit_reading(own, run, KIND, began, fields)

    place = found_or_made(run, agreement_name(target, sides, paints), folder, fill, model, processor, partial)
    return KeptAgreement(run, place).asked_for(target)

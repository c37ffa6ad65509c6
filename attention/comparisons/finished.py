"""Finished runs on the same tokens as a comparison, without any model.

Owns what a run must share with the first to be set beside it, and what it is called there. Their files are linked into
the comparison's folder where the disk allows that, else copied: the runs themselves stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attention.environment import new_run_folder
from attention.errors import AttentionError, DamagedRun, InvalidRequest, LimitExceeded, quoted, shortened, shown_path
from attention.limits import MAX_ADAPTERS
from attention.runs.partial import PartialRun
from attention.runs.run import Run

from .alike import WITHOUT_VISION, Unlike, first_unlike
from .comparison import BASE, KEPT, Comparison
from .names import short_name
from .writing import common_length, write_comparison

NAME_LETTERS = 60


def compare_runs(
    runs: Sequence[Run | str | os.PathLike[str]],
    output_dir: str | os.PathLike[str] | None = None,
    names: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
) -> Comparison:
    """Set finished runs beside the first of them, in a new folder: by default one in the library of `python app.py`.

    They must have read pictures of one size, and the same tokens up to them. Where their words differ after that, rows
    are aligned: those of equal words, and of the fields of places that answers name. Towers may have other layers and
    heads: then the runs are shown side by side, and no change of heads is measured. `names` are what they are called,
    by default what tells them apart; `steps` those of a training, at which each was made. Raises InvalidRequest with
    the first thing in which two differ; nothing is left behind then.
    """
    partial = PartialRun.create(new_run_folder() if output_dir is None else output_dir)
    return Comparison(fill_from_runs(runs, partial, names, steps))


def fill_from_runs(
    runs: Sequence[Run | str | os.PathLike[str]],
    partial: PartialRun,
    names: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
) -> Path:
    """The same, into a folder that the caller has made; returns the finished folder, or leaves none."""
    try:
        with ExitStack() as held:
            opened = [run if isinstance(run, Run) else held.enter_context(Run(run)) for run in runs]
            called = _checked_names(opened, names)
            _check(opened, called)
            members = []
            for n, run in enumerate(opened):
                folder = BASE if n == 0 else f"{KEPT}_{n}"
                partial.check_cancelled()
                _link(run.folder, partial.folder / folder)
                members.append(_member(folder, run, called[n], opened[0]) | ({"step": steps[n]} if steps else {}))
        return write_comparison(partial, members, "own")
    except BaseException:
        partial.discard()
        raise


def _member(folder: str, run: Run, name: str, base: Run) -> dict[str, Any]:
    more = {} if run.info["model"] == base.info["model"] else {"model": run.info["model"]}
    more |= {} if _pictures(run) == _pictures(base) else {"own_pictures": True}
    adapter = run.info.get("adapter")
    return {"folder": folder, "name": name, "adapter": adapter, "answer": run.info.get("answer"), **more}


def _pictures(run: Run) -> list[tuple[bytes, float | None]]:
    """SHA-256 of each picture's file, and of a frame its time, which a model may read."""
    found = []
    for image in run.info["images"]:
        try:
            with (run.folder / image["file"]).open("rb") as file:
                found.append((hashlib.file_digest(file, "sha256").digest(), image.get("time_s")))
        except OSError as error:
            raise DamagedRun(f"{image['file']} of this run cannot be read: {error.strerror or error}.") from None
    return found


def _check(runs: Sequence[Run], names: Sequence[str]) -> None:
    """Refuse runs of which rows cannot be set side by side: other pictures' sizes, other cells, other towers."""
    if len(runs) < 2:
        raise InvalidRequest(f"A comparison needs two runs at least; {len(runs)} was given.")
    if len(runs) > MAX_ADAPTERS + 1:
        raise LimitExceeded(f"{len(runs)} runs were given; a comparison has {MAX_ADAPTERS + 1} at most.")
    if any("prompt_tokens" not in run.info for run in runs):
        raise InvalidRequest("These runs do not say where their answers begin, so they cannot be compared.")
    shared = common_length([[token["id"] for token in run.info["tokens"]] for run in runs])
    for run, name in zip(runs[1:], names[1:], strict=True):
        unlike = first_unlike(run.info, runs[0].info, shared, may_have_own_towers=True)
        if unlike is not None:
            raise InvalidRequest(_unlike_words(unlike, run, runs[0], name, names[0]))
        encoded = runs[0].keys_with_columns("encoder")[-1] if "encoder" in runs[0].towers() else -1
        if encoded >= shared:
            raise InvalidRequest(
                f"{shortened(name)} cannot be set beside {shortened(names[0])}: their questions differ, from token "
                f"{shared} on, and their model's answer reads of no token that both have. Compare runs of one question."
            )


def _unlike_words(unlike: Unlike, run: Run, base: Run, name: str, first: str) -> str:
    """Sentence on the first thing that differs, and what can be done."""
    where, value, wanted = unlike.where, quoted(unlike.value), quoted(unlike.wanted)
    if unlike.rule:
        pairs = enumerate(zip(run.info["tokens"], base.info["tokens"], strict=False))
        at = next(at for at, (one, other) in pairs if one["id"] != other["id"])
        texts = [quoted(each.info["tokens"][at]["text"]) for each in (run, base)]
        return (
            f"{shortened(name)} cannot be set beside {shortened(first)}: their words differ before the picture, at "
            f"token {at}: {texts[0]} there and {texts[1]} here. Compare runs that begin alike, with their pictures "
            "first."
        )
    without = f" {WITHOUT_VISION}" if _fits_without_vision(run, base) else ""
    return (
        f"{shortened(name)} cannot be set beside {shortened(first)}: {where} is {value} there and {wanted} here. "
        f"Compare runs on pictures of one size, by models that read and count alike.{without}"
    )


def _fits_without_vision(run: Run, base: Run) -> bool:
    """True if a run would fit the base but for its vision tower."""
    there, here = (
        {**each.info, "towers": {name: tower for name, tower in each.info["towers"].items() if name != "vision"}}
        for each in (run, base)
    )
    shared = common_length([[token["id"] for token in info["tokens"]] for info in (there, here)])
    return first_unlike(there, here, shared, may_have_own_towers=True) is None


def _checked_names(runs: Sequence[Run], names: Sequence[str] | None) -> list[str]:
    """Names of runs, no two alike."""
    if names is None:
        return _own_names(runs)
    if len(names) != len(runs) or not all(isinstance(name, str) and name.strip() for name in names):
        raise InvalidRequest(f"The names are {quoted(list(names))}; {len(runs)} runs need as many texts.")
    if len(set(names)) < len(names):
        raise InvalidRequest(f"Two runs have the same name among {quoted(list(names))}.")
    return [shortened(name, NAME_LETTERS) for name in names]


def _own_names(runs: Sequence[Run]) -> list[str]:
    """Names that tell the runs apart: model and adapter, else number format, question, answer; else their places."""
    ids = [info["model"]["id"] for info in (run.info for run in runs)]
    adapters = [(run.info.get("adapter") or {}) for run in runs]
    models = [short_name(each, ids) for each in ids]
    said = [
        [
            f"{model} + {short_name(adapter['id'], [each['id'] for each in adapters if each])}" if adapter else model
            for model, adapter in zip(models, adapters, strict=True)
        ]
    ]
    said.append([f"{name} {run.info['model']['dtype']}" for name, run in zip(said[0], runs, strict=True)])
    scales = [adapter.get("scale", 1) for adapter in adapters]
    said.append([name if scale == 1 else f"{name} ×{scale:g}" for name, scale in zip(said[0], scales, strict=True)])
    said += [[shortened(run.info.get(of) or "", NAME_LETTERS) for run in runs] for of in ("prompt", "answer")]
    told = next((each for each in said if len(set(each)) == len(each) and all(each)), None)
    return told or [f"run {n}" for n in range(1, len(runs) + 1)]


def _link(source: Path, target: Path) -> None:
    """The same files in another folder, which are never changed: as links where the disk allows it."""
    target.mkdir(mode=0o700)
    for file in sorted(source.iterdir(), key=lambda each: each.name):
        place = target / file.name
        try:
            if file.is_dir():
                _link(file, place)
                continue
            try:
                os.link(file, place)
            except OSError:
                shutil.copyfile(file, place)
        except OSError as error:
            raise AttentionError(
                f"{shown_path(file)} cannot be copied: {error.strerror or error}. Free some room, or name a folder on "
                "another disk."
            ) from None

"""Scores of models over a set of items: every item read by every model, once, and what comes of it in numbers.

Owns the order of the work and what is done again. Models are members, as a comparison has them: the base, others that
are made of it for a while, and whole models; this module knows no adapter. What was done is never done again: a row is
known by the content of its picture, its words, its place, the settings, and the model.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.comparisons.members import BASE_ITSELF, Member
from attention.errors import AttentionError, Cancelled, CaptureError, InvalidRequest, NotInRun, quoted
from attention.image_entries import is_data_url
from attention.limits import Limits
from attention.models.config import read_config
from attention.models.devices import choose_device, choose_dtype
from attention.models.download import folder_stamp, locate
from attention.models.offered import default_model
from attention.request import FIELDS, Request
from attention.runs.partial import SUFFIX, PartialRun

from .checked import CheckedItem, check_items
from .item_rows import ItemRows, scores_folder
from .items import BadItem, Item
from .measuring import check_rows, measure_item
from .names import BY
from .reading import read_items
from .row_file import key_of
from .scores import Scores, write_scores

ROW_FORMAT = 1
OF_AN_ITEM = ("images", "prompt", "messages", "answer", "adapter")
# fields that change nothing of what is measured, or are the model's
OF_NO_SCORE = ("model", "device", "vision", "adapter_scale", "adapter_rename", "adapter_alone")
OF_THE_SET = tuple(name for name in FIELDS if name not in (*OF_AN_ITEM, *OF_NO_SCORE))
# errors that are of one item; others stop the work
OF_ITEMS = (InvalidRequest, NotInRun, CaptureError)
RUNS = "runs"
LOOKING = "pictures"  # said by `tell` while they are looked at, before any model
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """Settings of a whole set: a request without picture and words, and how its runs are measured.

    `rows` names the row that is measured (`names.ROWS`), `by` the measure by which heads are found, `seed` what is
    drawn. With `keeps_runs` every run stays in the folder, where the page opens it.
    """

    request: Request
    rows: str = "first"
    by: str = "region_share"
    seed: int = 0
    keeps_runs: bool = False


def score_items(
    items: str | os.PathLike[str] | Sequence[Item | BadItem],
    folder: str | os.PathLike[str],
    request: Request | None = None,
    members: Sequence[Member] = (),
    *,
    rows: str = "first",
    by: str = "region_share",
    seed: int = 0,
    keeps_runs: bool = False,
    limits: Limits | None = None,
    tell: Tell = lambda phase, done, total: None,
    make_partial: Callable[[Path], PartialRun] = PartialRun.create,
) -> Scores:
    """Score the base and `members` over items, into a folder, and return what came of it.

    `items` are a file, as `read_items` takes it, or items. `request` says the model and what else holds for all, with
    no picture and no words. What is there already is not run again, so that a call that was stopped goes on. An item
    that cannot be used or run is a row with its reason. `tell(what, done, total)` is called before each item, of
    a model by its name, and before of `pictures`.

    Raises AttentionError: for a set without any item, settings that are none, and what keeps every item from being run.
    """
    settings = Settings(request or Request(), rows, by, seed, keeps_runs)
    _check(settings)
    given = read_items(items) if isinstance(items, str | os.PathLike) else list(items)
    if not given:
        raise InvalidRequest("The set has no item.")
    _check_answers(settings, given)
    everyone = [BASE_ITSELF, *members]
    models = [_model_of(member.request or settings.request) for member in everyone]
    path = scores_folder(folder)
    checked = check_items(given, limits or Limits(), lambda done, total: tell(LOOKING, done, total))
    found = ItemRows(path)
    keys = {
        member.folder: [_key(item, settings, model, member) for item in checked]
        for member, model in zip(everyone, models, strict=True)
    }
    work = _Work(settings, checked, found, path, limits or _limits(settings), tell, make_partial)
    for member in everyone:
        work.score(member, keys[member.folder])
    said = {
        "model": {name: models[0][name] for name in ("id", "revision")},
        "settings": {name: getattr(settings.request, name) for name in OF_THE_SET},
        "rows": rows,
        "by": by,
        "seed": seed,
    }
    records = [{"member": each.folder, "name": each.label, "adapter": each.adapter} for each in everyone]
    entries = [
        {"name": name, "picture": digest, "keys": {member: own[number] for member, own in keys.items()}}
        for number, (name, digest) in enumerate(map(_named, checked))
    ]
    return write_scores(path, said, records, entries, found)


def _named(item: CheckedItem | BadItem) -> tuple[str, str | None]:
    return (item.name, None) if isinstance(item, BadItem) else (item.item.name, item.digest)


def _limits(settings: Settings) -> Limits:
    """Limits of a person's own machine; of a run that is not kept only the rows that are measured are stored."""
    limits = Limits.local(choose_device(settings.request.device))
    return limits if settings.keeps_runs else replace(limits, rows_bytes=0)


def _check(settings: Settings) -> None:
    request, plain = settings.request, Request()
    given = [name for name in OF_AN_ITEM if getattr(request, name) != getattr(plain, name)]
    if given:
        raise InvalidRequest(f"{given[0]} is not set for a whole set: each item has its own, and adapters are members.")
    check_rows(settings.rows)
    if settings.by not in BY:
        raise InvalidRequest(f"Heads are found by {quoted(settings.by)}; it is one of {', '.join(BY)}.")
    if isinstance(settings.seed, bool) or not isinstance(settings.seed, int) or settings.seed < 0:
        raise InvalidRequest(f"The seed is {quoted(settings.seed)}; it is a whole number from 0 on.")
    replace(request, prompt="?").validate()


def _check_answers(settings: Settings, items: Sequence[Item | BadItem]) -> None:
    """Raise InvalidRequest where rows of answers are asked for, and there will be no answer."""
    has_any = any(isinstance(each, Item) and each.answer is not None for each in items)
    if settings.rows != "first" and settings.request.mode == "prefill" and not has_any:
        raise InvalidRequest(
            f"The rows {settings.rows} are those of answers, and no item has one: use mode generate (--mode generate)."
        )


def _model_of(request: Request) -> dict[str, Any]:
    """The base's id, and what tells its weights from others: the Hub's revision, or the stamp of its folder's files.

    What cannot be loaded in this way at all is refused here, before it would be the reason of every item.
    """
    model = request.model or default_model()
    path, revision = locate(model, config_only=True)
    config, _ = read_config(path, request.model_type)
    choose_dtype(request.dtype, choose_device(request.device), config)
    return {"id": model, "revision": revision, "stamp": None if revision else key_of(folder_stamp(path))}


def _key(item: CheckedItem | BadItem, settings: Settings, model: dict[str, Any], member: Member) -> str:
    if isinstance(item, BadItem):
        return key_of(ROW_FORMAT, "bad", item.name, item.reason)
    common = {name: getattr(member.request or settings.request, name) for name in OF_THE_SET}
    own = [item.digest, item.item.prompt, item.item.answer, item.item.kind, item.place, item.elsewhere]
    return key_of(ROW_FORMAT, own, common, settings.rows, model, member.adapter)


@dataclass(frozen=True)
class _Work:
    """Work with each member: every item that it was not run on before."""

    settings: Settings
    items: Sequence[CheckedItem | BadItem]
    found: ItemRows
    folder: Path
    limits: Limits
    tell: Tell
    make_partial: Callable[[Path], PartialRun]

    def score(self, member: Member, keys: Sequence[str]) -> None:
        """Add the rows of a member that are missing. An item that failed is tried again."""
        has_run = False
        for number, (item, key) in enumerate(zip(self.items, keys, strict=True)):
            self.tell(member.label, number, len(self.items))
            known = self.found.get(key)
            if isinstance(item, BadItem):
                if known is None:
                    self.found.add({"key": key, "name": item.name, "error": item.reason})
                continue
            kept = self.folder / RUNS / key if self.settings.keeps_runs else None
            if known is not None and "error" not in known and (kept is None or kept.is_dir()):
                continue
            try:
                row = self._run(item, member, kept)
                has_run = True
            except Cancelled:
                raise
            except AttentionError as error:
                if not (has_run or isinstance(error, OF_ITEMS)):
                    raise  # the model, or the adapter: no item can be run
                row = {"error": str(error)}
            if known is None or known.get("error") != row.get("error", ""):
                self.found.add({"key": key, "member": member.folder} | _described(item) | row)

    def _run(self, item: CheckedItem, member: Member, kept: Path | None) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="score-", ignore_cleanup_errors=True) as space:
            if kept is not None:  # its row is gone, or it was being written when the process ended
                for left in (kept, kept.with_name(f"{kept.name}{SUFFIX}")):
                    shutil.rmtree(left, ignore_errors=True)
            partial = self.make_partial(kept or Path(space) / "run")
            row = measure_item(
                item, member.request or self.settings.request, member, self.settings.rows, partial, self.limits
            )
        return row | ({"run": f"{RUNS}/{kept.name}"} if kept is not None else {})


def _described(item: CheckedItem) -> dict[str, Any]:
    """An item as its row has it."""
    image = item.item.image
    path = str(image) if isinstance(image, str | os.PathLike) and not is_data_url(image) else None
    return {
        "name": item.item.name, "image": path, "picture": item.digest, "size": list(item.size),
        "prompt": item.item.prompt, "place": list(item.place),
    }  # fmt: skip

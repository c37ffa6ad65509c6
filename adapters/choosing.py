"""From what a person asks for to adapters that are checked and here: found, inspected, downloaded, in this order.

Owns that order, so that page, client and command line share it, and which of the things to compare are whole models: a
model that was named as an adapter, and the reverse, is taken for what it is. Nothing of any weights is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.comparisons.other_models import DTYPES, ModelChoice, split_dtype
from attention.environment import POCKET_ID
from attention.errors import (
    AdapterRefused,
    AdapterUnavailable,
    AttentionError,
    InvalidRequest,
    IsAdapter,
    IsWholeModel,
    quoted,
    shortened,
)
from attention.limits import MAX_ADAPTER_SCALE
from attention.models.config import describe
from attention.models.download import Watch, locate
from attention.models.hub_login import HubLogin
from attention.models.offered import HUB_MODELS

from .base_modules import base_of
from .catalog import fetch_adapter, find_adapter, split_scale
from .files import AdapterFiles
from .inspection import AdapterLimits, HealthCard, inspect_adapter

SAID = 6  # refusals of a comparison that are said one by one
REFUSAL_CHARACTERS = 600
ASKED = {"id", "scale", "rename", "alone"}


@dataclass(frozen=True)
class AdapterChoice:
    """An adapter to switch on, and how strongly: 0 is the base, 1 as it was trained.

    `rename`: its keys, in an older layout, may be read under the names that the model has now. `alone`: other weights,
    trained together with it, which lie beside it, are left out.
    """

    files: AdapterFiles
    scale: float = 1.0
    rename: bool = False
    alone: bool = False

    def __post_init__(self) -> None:
        number = isinstance(self.scale, int | float) and not isinstance(self.scale, bool)
        if not number or not 0 <= self.scale <= MAX_ADAPTER_SCALE:
            raise InvalidRequest(
                f"The adapter's strength is {quoted(self.scale)}; it is a number from 0 to {MAX_ADAPTER_SCALE}."
            )

    @property
    def record(self) -> dict[str, Any]:
        """The adapter's record in run.json; `without` are the files beside it that were left out."""
        files = self.files
        record = {"id": files.id, "revision": files.revision, "sha256": files.sha256, "scale": float(self.scale)}
        without = [file.name for file in files.parts] if self.alone else []
        return {**record, "without": without} if without else record


Choice = AdapterChoice | ModelChoice


def choose(
    wanted: Sequence[Any],
    model_id: str,
    model_type: str | None = None,
    adapters_dir: Path | None = None,
    is_hosted: bool = False,
    watch: Watch | None = None,
    login: HubLogin | None = None,
) -> list[AdapterChoice]:
    """The adapters that are asked for, each checked against the base's config before its weights are downloaded.

    What is asked for is an id, an id with `=scale`, or {id, scale, rename, alone}. `login` is a visitor's own, where
    one is offered. Raises what `find_adapter`, `inspect_adapter` and `fetch_adapter` raise.
    """

    def checked(each: Any) -> Choice:
        return _adapter(each, model_id, model_type, adapters_dir, is_hosted, watch, login)

    return [
        choice for choice in _all_here(wanted, checked, watch, is_hosted, login) if isinstance(choice, AdapterChoice)
    ]


def choose_members(
    wanted: Sequence[Any],
    model_id: str,
    model_type: str | None = None,
    adapters_dir: Path | None = None,
    is_hosted: bool = False,
    watch: Watch | None = None,
    offered: Sequence[str] | None = None,
    login: HubLogin | None = None,
) -> list[Choice]:
    """Adapters and whole models, in the order in which they are asked for, each taken for what its files say.

    What is asked for is what `choose` takes, the id or folder of a whole model, with `=bfloat16` behind it for another
    number format, or {model, dtype}. `offered` are the models that may be had; None: any. Raises what `choose` raises,
    and ModelUnavailable.
    """

    def checked(each: Any) -> Choice:
        return _member(each, model_id, model_type, adapters_dir, is_hosted, watch, offered, login)

    return _all_here(wanted, checked, watch, is_hosted, login)


def _all_here(
    wanted: Sequence[Any],
    checked: Callable[[Any], Choice],
    watch: Watch | None,
    is_hosted: bool,
    login: HubLogin | None,
) -> list[Choice]:
    """Check all that is asked for, and fetch the adapters' weights only then; what is wrong is said of all at once."""
    found, refusals = [], []
    for each in wanted:
        try:
            found.append(checked(each))
        except (AdapterRefused, AdapterUnavailable) as error:
            refusals.append(error)
    if refusals:
        raise _all_of(refusals, len(wanted))
    return [
        replace(choice, files=fetch_adapter(choice.files, watch, is_hosted, login))
        if isinstance(choice, AdapterChoice)
        else choice
        for choice in found
    ]


def _member(
    each: Any, model_id: str, model_type: str | None, adapters_dir: Path | None, is_hosted: bool, watch: Watch | None,
    offered: Sequence[str] | None, login: HubLogin | None,
) -> Choice:  # fmt: skip
    """An adapter or a whole model, whichever it is."""
    choice = _model(each)
    if choice is None:
        try:
            return _adapter(each, model_id, model_type, adapters_dir, is_hosted, watch, login)
        except IsWholeModel:
            choice = _without_strength(each)
    if offered is not None and choice.id not in offered:
        raise InvalidRequest(f"{shortened(choice.id)} is not offered here. There is {', '.join(offered)}.")
    try:
        locate(choice.id, config_only=True)
    except IsAdapter:
        folder = Path(choice.id).expanduser()
        name = str(folder.resolve()) if folder.is_dir() else choice.id
        return _adapter(name, model_id, model_type, adapters_dir, is_hosted, watch, login)
    return choice


def _adapter(
    each: Any, model_id: str, model_type: str | None, adapters_dir: Path | None, is_hosted: bool, watch: Watch | None,
    login: HubLogin | None,
) -> AdapterChoice:  # fmt: skip
    """An adapter, found and checked against the base's config."""
    name, scale, rename, alone = _as_asked(each)
    files = find_adapter(name, model_id, adapters_dir, is_hosted, watch, login)
    check(files, model_id, model_type, rename, alone, is_hosted)
    return AdapterChoice(files, scale, rename, alone)


def _model(each: Any) -> ModelChoice | None:
    """A whole model, where the words alone say that it is one."""
    if isinstance(each, dict) and set(each) <= {"model", "dtype"} and isinstance(each.get("model"), str):
        dtype = each.get("dtype")
        if dtype not in (None, *DTYPES):
            raise InvalidRequest(f"The number format is {quoted(dtype)}; use {', '.join(DTYPES)}.")
        return ModelChoice(each["model"], dtype)
    name = each.get("id") if isinstance(each, dict) else each
    if not isinstance(name, str):
        return None
    choice = split_dtype(name)
    return choice if choice.dtype is not None or name in (POCKET_ID, *HUB_MODELS) else None


def _without_strength(each: Any) -> ModelChoice:
    """A whole model that was named as an adapter is."""
    name, scale, *_ = _as_asked(each)
    if scale != 1:
        raise InvalidRequest(
            f"{shortened(name)} is a whole model, which has no strength: leave ={scale:g} out. An adapter has one."
        )
    return ModelChoice(name)


def check(
    files: AdapterFiles,
    model_id: str,
    model_type: str | None = None,
    rename: bool = False,
    alone: bool = False,
    is_hosted: bool = False,
) -> HealthCard:
    """Inspect an adapter against a base's config. Raises AdapterRefused."""
    limits = AdapterLimits.hosted() if is_hosted else AdapterLimits()
    return inspect_adapter(files, base_of(model_id, model_type), rename=rename, alone=alone, limits=limits)


def describe_member(
    asked: dict[str, Any],
    model_id: str,
    adapters_dir: Path | None = None,
    offered: Sequence[str] | None = None,
    login: HubLogin | None = None,
) -> list[str]:
    """Lines on what is asked for: an adapter's health card, or a model's towers. Raises what `choose_members` raises.

    With `offered` it is for a stranger on a server, with their own `login` where one is offered. No weights are
    downloaded.
    """
    choice = _member(asked, model_id, None, adapters_dir, offered is not None, None, offered, login)
    if isinstance(choice, AdapterChoice):
        return check(choice.files, model_id, None, choice.rename, choice.alone, offered is not None).lines()
    about = describe(choice.id)
    towers = [f"{name} tower {each['layers']} layers x {each['heads']} heads" for name, each in about["towers"].items()]
    facts = [about["family"], *towers, *([choice.dtype] if choice.dtype else [])]
    return [f"{choice.id}: a whole model, {'; '.join(facts)}."]


def _all_of(refusals: list[AdapterRefused | AdapterUnavailable], n_wanted: int) -> AttentionError:
    """One refusal as it is; of several, one that says them all."""
    if len(refusals) == 1:
        return refusals[0]
    said = [shortened(str(error), REFUSAL_CHARACTERS) for error in refusals[:SAID]]
    more = f" And {len(refusals) - SAID} more." if len(refusals) > SAID else ""
    kinds = {type(error) for error in refusals}
    kind = kinds.pop() if len(kinds) == 1 else AdapterRefused
    return kind(f"{len(refusals)} of {n_wanted} adapters cannot be used. {' '.join(said)}{more}")


def _as_asked(each: Any) -> tuple[str, float, bool, bool]:
    if isinstance(each, str):
        name, scale = split_scale(each)
        return name, 1.0 if scale is None else scale, False, False
    if not isinstance(each, dict) or not isinstance(each.get("id"), str) or set(each) - ASKED:
        raise InvalidRequest(
            f"An adapter is asked for by its name, or as {{id, scale, rename, alone}}, not as {quoted(each)}."
        )
    scale = each.get("scale", 1.0)
    return each["id"], 1.0 if scale is None else scale, bool(each.get("rename")), bool(each.get("alone"))

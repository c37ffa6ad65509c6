"""From what a person asks for to adapters that are checked and here: found, inspected, downloaded, in this order.

Owns that order, so that page, client and command line share it. Nothing of an adapter's weights is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attention.errors import AdapterRefused, AdapterUnavailable, AttentionError, InvalidRequest, quoted, shortened
from attention.limits import MAX_ADAPTER_SCALE
from attention.models.download import Watch

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


def choose(
    wanted: Sequence[Any],
    model_id: str,
    model_type: str | None = None,
    adapters_dir: Path | None = None,
    is_hosted: bool = False,
    watch: Watch | None = None,
) -> list[AdapterChoice]:
    """The adapters that are asked for, each checked against the base's config before its weights are downloaded.

    What is asked for is an id, an id with `=scale`, or {id, scale, rename, alone}. Raises what `find_adapter`,
    `inspect_adapter` and `fetch_adapter` raise.
    """
    checked, refusals = [], []
    for each in wanted:
        name, scale, rename, alone = _as_asked(each)
        try:
            files = find_adapter(name, model_id, adapters_dir, is_hosted, watch)
            check(files, model_id, model_type, rename, alone, is_hosted)
            checked.append(AdapterChoice(files, scale, rename, alone))
        except (AdapterRefused, AdapterUnavailable) as error:
            refusals.append(error)
    if refusals:
        raise _all_of(refusals, len(wanted))
    return [replace(choice, files=fetch_adapter(choice.files, watch)) for choice in checked]


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

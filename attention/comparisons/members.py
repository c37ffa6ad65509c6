"""A member of a comparison: how the model in memory becomes it, and what is known of it besides. Knows no adapter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from attention.capture.crossed import Other
from attention.capture.inputs import Prepared
from attention.models.kept import LoadedModel
from attention.request import Request

from .comparison import BASE


@dataclass(frozen=True)
class Member:
    """One model of a comparison: made of the base in memory for a while, or a model of its own.

    `folder` names its run; `adapter` is its record in comparison.json, None of the base and of other models. Within
    `on(loaded)` the model in memory is the member; what that gives is what the run's own run.json says of it.
    `about(loaded, model_type)` is what is known of it besides, as further fields of its record. A model of its own has
    a `name`, the `request` that is asked of it in the base's place, and the inputs `prepared` for it. Within `on`, the
    model is the base again within `off(loaded)`, which gives a function whose contexts have the member on again; None
    where a member is not made of the base.
    """

    folder: str
    adapter: dict[str, Any] | None
    on: Callable[[LoadedModel], AbstractContextManager[dict[str, Any] | None]]
    about: Callable[[LoadedModel, str | None], dict[str, Any]]
    name: str | None = None
    request: Request | None = None
    prepared: Prepared | None = None
    off: Callable[[LoadedModel], AbstractContextManager[Other]] | None = None

    @property
    def label(self) -> str:
        """Its name for people: `base`, a model's, or an adapter's id, with its strength where that is not 1."""
        if self.adapter is None:
            return self.name or self.folder
        scale = self.adapter["scale"]
        return f"{self.adapter['id']}" if scale == 1 else f"{self.adapter['id']}={scale:g}"


BASE_ITSELF = Member(BASE, None, lambda loaded: nullcontext(), lambda loaded, model_type: {})

"""Report on an adapter before it is used, and on request how far it changes each weight.

Owns the order: found, inspected, and only then, if weights are asked for, read beside the base's.
"""

from __future__ import annotations

from pathlib import Path

from attention.models import loading as models
from attention.models.kept import INFERENCE

from .catalog import fetch_adapter, find_adapter
from .choosing import check
from .files import read_tensors
from .inspection import HealthCard
from .weight_change import WeightChange, weight_changes


def report(
    adapter_id: str,
    model_id: str,
    model_type: str | None = None,
    rename: bool = False,
    alone: bool = False,
    *,
    weights: bool = False,
    adapters_dir: Path | None = None,
) -> tuple[HealthCard, list[WeightChange]]:
    """The health card of an adapter for a base, and with `weights` the change of each weight, for which both are read.

    Raises AdapterUnavailable, AdapterRefused, ModelUnavailable.
    """
    files = find_adapter(adapter_id, model_id, adapters_dir)
    card = check(files, model_id, model_type, rename, alone)
    if not weights:
        return card, []
    tensors = read_tensors(fetch_adapter(files))
    with INFERENCE:
        loaded = models.load(model_id, model_type=model_type)
        return card, weight_changes(card, tensors, loaded.model)

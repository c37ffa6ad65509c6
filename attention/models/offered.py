"""The models that a person can choose from, and the one to begin with.

Knows ids alone: whether one can be had, `download` finds out.
"""

from __future__ import annotations

from attention.environment import POCKET_ID

from . import devices

HUB_MODELS = (
    "Qwen/Qwen3-VL-2B-Instruct",
    "Qwen/Qwen3-VL-2B-Thinking",
    "Qwen/Qwen3-VL-4B-Instruct",
    "Qwen/Qwen3-VL-8B-Instruct",
)


def default_model() -> str:
    """The bundled model, or where a CUDA device works the smallest Qwen3-VL."""
    return HUB_MODELS[0] if devices.has_cuda() else POCKET_ID


def offered_models() -> list[dict]:
    """Models that a person can choose from, the default first: [{id, label, family, note}]."""
    pocket = {
        "id": POCKET_ID,
        "label": "pocket (bundled)",
        "family": "qwen3_vl",
        "note": "A tiny demo model: drawn shapes and windows only.",
    }
    hub = [
        {"id": name, "label": name, "family": "qwen3_vl", "note": "Downloaded from the Hub when first used."}
        for name in HUB_MODELS
    ]
    return [*hub, pocket] if devices.has_cuda() else [pocket, *hub]

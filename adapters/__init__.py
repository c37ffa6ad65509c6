"""LoRA adapters (PEFT): which there are, what is in one, attaching one, and what it changes.

The public names are loaded when they are first used, so that `from adapters import open_comparison` costs NumPy and no
more.
"""

from importlib import import_module

_HOME = {
    "choose": "adapters.choosing",
    "compare": "adapters.comparing",
    "members_of": "adapters.comparing",
    "open_comparison": "attention.comparisons.comparison",
    "Comparison": "attention.comparisons.comparison",
    "inspect_adapter": "adapters.inspection",
    "HealthCard": "adapters.inspection",
    "offered_adapters": "adapters.catalog",
}

__all__ = [
    "Comparison", "HealthCard", "choose", "compare", "inspect_adapter", "members_of", "offered_adapters",
    "open_comparison",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])

"""One file per model family, found by the `model_type` of the model's config.

`find("qwen3_vl")` imports `families/qwen3_vl.py` and gives its `FAMILY`. Nothing is registered anywhere else: a
new family is one new file (see family.py for what it must answer).
"""

from __future__ import annotations

import importlib
import pkgutil

from attention.errors import UnsupportedModel, quoted

from .family import Family
from .refused import NO_FILE_YET, reason

NO_FAMILIES = ("cells", "conversation", "family", "refused", "table", "towers", "videos")  # what is no family itself


def names() -> list[str]:
    """The model types that have a file here, ascending."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in NO_FAMILIES)


def find(model_type: str) -> Family:
    """The family of a config's `model_type`; hyphens are accepted. Raises UnsupportedModel with what there is."""
    name = str(model_type).replace("-", "_")
    if name not in names():
        raise UnsupportedModel(
            f"Model type {quoted(model_type)} is not supported{_because(str(model_type))}; supported: "
            f"{', '.join(names())}. A new family is one file in attention/families."
        )
    return importlib.import_module(f"{__name__}.{name}").FAMILY


def of_config(config, model_type: str | None = None) -> Family:
    """The family that reads a model with this config, or that of `model_type`. Raises UnsupportedModel as `find`."""
    return find(model_type or config.model_type).of(config)


def _because(model_type: str) -> str:
    why = reason(model_type)
    return "" if why == NO_FILE_YET else f": {why}"

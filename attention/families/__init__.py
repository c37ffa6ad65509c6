"""One file per model family, found by the `model_type` of the model's config.
 `find("qwen3_vl")` imports `families/qwen3_vl.py` and gives its `FAMILY`. Nothing is registered anywhere else: a
new family is one new file (see family.py for what it must answer).
"""

from __future__ import annotations

import importlib
import pkgutil

from attention.errors import UnsupportedModel, quoted

from .family import Family

NO_FAMILIES = ("family", "conversation", "videos")  # what families are made with


def names() -> list[str]:
    """The model types that have a file here, ascending."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in NO_FAMILIES)


def find(model_type: str) -> Family:
    """The family of a config's `model_type`; hyphens are accepted. Raises UnsupportedModel with what there is."""
    name = str(model_type).replace("-", "_")
    if name not in names():
        raise UnsupportedModel(
            f"Model type {quoted(model_type)} is not supported; supported: {', '.join(names())}. "
            "A new family is one file in attention/families."
        )
    return importlib.import_module(f"{__name__}.{name}").FAMILY

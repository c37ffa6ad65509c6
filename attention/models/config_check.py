"""A config.json held to what any model can have, before transformers makes anything of it.

Owns the refusals of values on which transformers would fail without naming them, or fill the memory: a model_type that
is no text, a tower of no layers or of a billion. Reads the file alone; what its weights say is `loading_report`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from attention.errors import ModelUnavailable, quoted, shortened
from attention.limits import MAX_MODEL_HEADS, MAX_MODEL_LAYERS, MAX_MODEL_SIZE

CONFIG = "config.json"
# Fields by the most that they may be; each is at least 1 where it is given.
COUNTS = {
    **dict.fromkeys(("num_hidden_layers", "depth"), MAX_MODEL_LAYERS),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "num_heads"), MAX_MODEL_HEADS),
    **dict.fromkeys(("hidden_size", "vocab_size", "head_dim", "patch_size"), MAX_MODEL_SIZE),
}
# These may be 0 as well: some models have none of it.
COUNTS_OR_NONE = {
    "num_global_layers": MAX_MODEL_LAYERS,
    **dict.fromkeys(("num_experts", "num_local_experts"), MAX_MODEL_HEADS),
    **dict.fromkeys(("intermediate_size", "moe_intermediate_size", "out_hidden_size", "embed_dim"), MAX_MODEL_SIZE),
    **dict.fromkeys(("num_position_embeddings", "in_channels", "num_channels"), MAX_MODEL_SIZE),
}


def check_config(path: str) -> None:
    """Raise ModelUnavailable for a value of a folder's config.json that no model has, by its name."""
    try:
        record = json.loads((Path(path) / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return  # said better where it is read
    for where, part in _parts(record):
        if not isinstance(part.get("model_type"), str | None):
            raise ModelUnavailable(
                f"{CONFIG} of {path} has {where}model_type {quoted(part['model_type'])}, which must be a text."
            )
        for least, fields in ((1, COUNTS), (0, COUNTS_OR_NONE)):
            for name, most in fields.items():
                if _is_count(part.get(name)) and not least <= part[name] <= most:
                    raise ModelUnavailable(
                        f"{CONFIG} of {path} has {where}{name} {quoted(part[name])}, which must be from {least} to "
                        f"{most:,}. Take the {CONFIG} that belongs to these weights."
                    )


def layer_counts(config) -> Iterator[tuple[str, int]]:
    """The fields of a config that say how many layers a tower has: (name with its part's, number)."""
    for where, part in _parts(config.to_dict()):
        for name, most in COUNTS.items():
            if most == MAX_MODEL_LAYERS and _is_count(part.get(name)):
                yield f"{where}{name}", part[name]


def _parts(record: object) -> Iterator[tuple[str, dict]]:
    """A config and those inside it, each with what comes before the names of its fields."""
    if not isinstance(record, dict):
        return
    yield "", record
    for name, part in record.items():
        if isinstance(part, dict):
            yield f"{shortened(str(name))}.", part


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

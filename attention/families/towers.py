"""Shape of a model's towers by its config: which layers have softmax attention, and the sizes of their heads.

Knows no model and no processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transformers import PreTrainedConfig

from attention.errors import UnsupportedModel, quoted

# Kinds of layer by a config's names: with softmax attention, and without it, as run.json calls them.
SOFTMAX = ("full_attention", "sliding_attention", "chunked_attention", "indexed_attention")
WITHOUT_SOFTMAX = {"linear_attention": "linear", "conv": "convolution"}


@dataclass(frozen=True)
class TowerShape:
    """A tower as the config describes it: which layers have softmax attention, and their sizes.

    `others` are the layers that have none, and the kind of each: they have no row to keep; `unmerged` ones have rows on
    other keys than the tower's.
    `has_bias` is true where every layer adds a position bias to its scores, which is kept beside its queries and keys.
    `kv_heads` and `head_dim` are those of most layers; `sizes` has both, in this order, of each layer that has others.
    """

    layers: tuple[int, ...]
    heads: int
    kv_heads: int
    head_dim: int
    others: Mapping[int, str] = field(default_factory=dict)
    sizes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    has_bias: bool = False

    def sizes_of(self, layer: int) -> tuple[int, int]:
        """A layer's heads of keys, and the numbers of each."""
        return self.sizes.get(layer, (self.kv_heads, self.head_dim))


@dataclass(frozen=True)
class UnreadTower:
    """A tower whose rows cannot be kept: how many layers and heads it has, and `why`, as a part of a sentence."""

    layers: int
    heads: int
    why: str

    def words(self, name: str) -> str:
        """The sentence that says so."""
        return f"The {self.layers} layers of this model's {name} tower make no map: {self.why}."


OWN_BIAS = "its attention adds a relative position bias inside its own code"


def language_tower(text: PreTrainedConfig) -> TowerShape:
    """The shape of a language tower by its config, which names the kinds of its layers where there are several.

    Raises UnsupportedModel for a kind that is not known here: whether it has rows is then not known either.
    """
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
    unknown = next((kind for kind in kinds if kind not in SOFTMAX and kind not in WITHOUT_SOFTMAX), None)
    if unknown is not None or len(kinds) != text.num_hidden_layers:
        what = f"{quoted(unknown)} among them" if unknown else f"{len(kinds)} of {text.num_hidden_layers}"
        raise UnsupportedModel(
            f"The config of this model lists kinds of layers (layer_types), {what}: those that are read here are "
            f"{', '.join((*SOFTMAX, *WITHOUT_SOFTMAX))}, one for each layer."
        )
    heads = text.num_attention_heads
    return TowerShape(
        tuple(index for index, kind in enumerate(kinds) if kind in SOFTMAX),
        heads,
        getattr(text, "num_key_value_heads", None) or heads,
        _head_dim(text),
        {index: WITHOUT_SOFTMAX[kind] for index, kind in enumerate(kinds) if kind in WITHOUT_SOFTMAX},
    )


def vision_tower(vision) -> TowerShape:
    """The shape of a vision tower by its config, by the names that most of them have: as many keys as queries."""
    heads = vision.num_attention_heads
    return TowerShape(tuple(range(vision.num_hidden_layers)), heads, heads, _head_dim(vision))


def _head_dim(config) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads

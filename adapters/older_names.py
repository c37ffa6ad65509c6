"""Names that earlier versions of transformers gave to the modules of a model, and those that they have now.

Owns the layouts by model type (transformers' own `conversion_mapping` renames weights in the same way). Whether a file
is in such a layout, only its keys can tell: text-only models of the same kind use the same names, so somebody must say
that an adapter was trained on this model.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """An older way of naming: (then, now) of the modules that held all others, the longer ones first."""

    renames: tuple[tuple[str, str], ...]

    def now(self, name: str) -> str:
        """The present name of a module, or of one of its tensors."""
        return next((now + name[len(then) :] for then, now in self.renames if _is_under(name, then)), name)

    def then(self, name: str) -> str:
        """The name that a module of today had."""
        return next((then + name[len(now) :] for then, now in self.renames if _is_under(name, now)), name)

    def used_by(self, names: list[str]) -> tuple[tuple[str, str], ...]:
        """Those of the renames that names in this layout make use of."""
        return tuple(pair for pair in self.renames if any(_is_under(name, pair[0]) for name in names))


def _llava(vision: str) -> tuple[Layout, ...]:
    language = (("language_model.lm_head", "lm_head"), ("language_model.model", "model.language_model"))
    projector = (("multi_modal_projector", "model.multi_modal_projector"),)
    return (Layout((*language, (vision, "model.vision_tower"), *projector)),)


WITH_INNER_TOWER = Layout((("model.vision_tower.vision_model", "model.vision_tower"),))
LLAVA = (*_llava("vision_tower.vision_model"), WITH_INNER_TOWER)
QWEN2_VL = (
    Layout(
        (
            ("visual", "model.visual"),
            ("model.layers", "model.language_model.layers"),
            ("model.embed_tokens", "model.language_model.embed_tokens"),
            ("model.norm", "model.language_model.norm"),
        )
    ),
)
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "gemma3": LLAVA,
    "internvl": _llava("vision_tower"),
    "llava": LLAVA,
    "llava_next": LLAVA,
    "llava_onevision": LLAVA,
    "mllama": (
        Layout(
            (
                ("language_model.lm_head", "lm_head"),
                ("language_model.model", "model.language_model"),
                ("vision_model", "model.vision_model"),
                ("multi_modal_projector", "model.multi_modal_projector"),
            )
        ),
    ),
    "qwen2_5_vl": QWEN2_VL,
    "qwen2_vl": QWEN2_VL,
}  # by model type; the older first

# The original LLaVA, which is a language model with the other modules inside: not transformers' own names.
_ORIGINAL_LLAVA = Layout(
    (
        ("model.layers", "model.language_model.layers"),
        ("model.embed_tokens", "model.language_model.embed_tokens"),
        ("model.norm", "model.language_model.norm"),
        ("model.mm_projector.0", "model.multi_modal_projector.linear_1"),
        ("model.mm_projector.2", "model.multi_modal_projector.linear_2"),
        ("model.vision_tower.vision_tower.vision_model", "model.vision_tower"),
        ("model.vision_tower.vision_tower", "model.vision_tower"),
    )
)
ORIGINALS = dict.fromkeys(("llava", "llava_next", "llava_onevision"), (_ORIGINAL_LLAVA,))


def layouts_of(model_type: str) -> tuple[Layout, ...]:
    """The layouts other than the present one that adapters for this type of model are known to have."""
    return (*LAYOUTS.get(model_type, ()), *ORIGINALS.get(model_type, ()))


def _is_under(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")

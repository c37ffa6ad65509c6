"""By which names a file calls the modules of a base: the present ones, an older layout, or another model's.

Owns the search and the refusal where there is no such way, or more than one. What is found by names and shapes alone
is never taken for granted: an adapter of a text model may fit, and only a person knows what it was trained on.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from attention.errors import AdapterNeedsRenaming, AdapterRefused

from .base_modules import Base, BaseModule
from .files import AdapterFiles
from .health_card import listed
from .keys import Weight
from .lora_config import shown
from .older_names import Layout, layouts_of

INDEX = re.compile(r"[0-9]{1,6}")
# Words of a name by which it says itself in which tower it is.
SEES = re.compile(r"(^|[._])(vision|visual|image|vit|siglip|clip)([._]|$)")
READS = re.compile(r"(^|[._])(language|text|llm)([._]|$)")


def layout_of(
    files: AdapterFiles, base: Base, weights: list[Weight], rename: bool
) -> tuple[Layout, tuple[tuple[str, str], ...]]:
    """The layout of a file's keys, and the (name then, name now) that it needs.

    Raises AdapterRefused when they are not this base's, AdapterNeedsRenaming when they may be and `rename` is not set.
    """
    present = Layout(())
    strange = [weight for weight in weights if not _is_known(weight, base, present)]
    if not strange:
        return present, ()
    known = (each for each in layouts_of(base.model_type) if all(_is_known(weight, base, each) for weight in weights))
    layout = next(known, None) or _fitting(files.id, base, weights)
    if layout is None:
        raise AdapterRefused(f"{files.id} {_why_strange(strange, base)}")
    renames = layout.used_by([weight.name for weight in weights])
    if not rename:
        pairs = listed(f"{then} is now {now}" for then, now in renames)
        raise AdapterNeedsRenaming(
            f"{files.id} names modules as earlier versions of transformers did for {base.id}, or as another model does "
            f"({pairs}). If it was trained on this model, confirm the renaming (rename=True).",
            renames,
        )
    return layout, renames


def _is_known(weight: Weight, base: Base, layout: Layout) -> bool:
    return layout.now(weight.name) in (base.tensors if weight.which is None else base.modules)


def _fitting(who: str, base: Base, weights: list[Weight]) -> Layout | None:
    """The one way in which all weights are the base's, when only the beginnings of their names differ; None if none.

    Weights are taken together by what their names have before their first number. Raises AdapterRefused where they fit
    in several places, or by their names alone.
    """
    groups: dict[str, list[Weight]] = defaultdict(list)
    for weight in weights:
        groups[_beginning(weight)].append(weight)
    pairs = []
    for then, group in groups.items():
        if all(_is_known(weight, base, Layout(())) for weight in group):
            continue
        named = _places(then, group, base)
        fits = [now for now in named if all(_has_shape(weight, then, now, base) for weight in group)]
        if len(fits) > 1:
            raise AdapterRefused(
                f"{who} has weights for {shown(then)}, which {base.id} does not have, and which fit both {fits[0]} and "
                f"{fits[1]}. Save it again from the model that it was trained on, with a present version of "
                "transformers."
            )
        if not fits and len(named) == 1:
            odd = next(weight for weight in group if not _has_shape(weight, then, named[0], base))
            shape = " x ".join(map(str, odd.record.shape)) or "one number"
            raise AdapterRefused(
                f"{who} does not fit {base.id}: {shown(odd.key)} is {shape}, and {named[0]} there is of another size. "
                "It was trained on a model of another size."
            )
        if not fits:
            return None
        pairs.append((then, fits[0]))
    if len({now for _, now in pairs}) < len(pairs):
        return None  # two names for one place
    return Layout(tuple(sorted(pairs, key=lambda pair: -len(pair[0]))))


def _beginning(weight: Weight) -> str:
    """The part of a name before its first number; of one without, the module's whole name."""
    module = weight.name if weight.which is not None else weight.name.rpartition(".")[0]
    parts = module.split(".")
    first = next((i for i, part in enumerate(parts) if i and INDEX.fullmatch(part)), len(parts))
    return ".".join(parts[:first])


def _places(then: str, group: list[Weight], base: Base) -> list[str]:
    """The modules of the base that have the last word of `then` and all that the group's names have below it."""
    last = then.rpartition(".")[2]
    tails = [weight.name.removeprefix(then) for weight in group]
    known = [base.tensors if weight.which is None else base.modules for weight in group]
    return [
        name
        for name, module in base.modules.items()
        if name.rpartition(".")[2] == last
        and _may_be_in(then, name, module)
        and all(f"{name}{tail}" in each for tail, each in zip(tails, known, strict=True))
    ]


def _may_be_in(then: str, name: str, module: BaseModule) -> bool:
    sees = module.tower == "vision" or bool(SEES.search(name))
    return not (SEES.search(then) and not sees) and not (READS.search(then) and sees)


def _has_shape(weight: Weight, then: str, now: str, base: Base) -> bool:
    """True for a weight that fits the base's under another name, whatever its rank."""
    name, shape = now + weight.name.removeprefix(then), weight.record.shape
    if weight.which is None:
        return shape == base.tensors[name]
    module = base.modules[name]
    if module.shape is None or len(shape) < 2:
        return True
    if weight.which == "lora_A":
        return shape[1:] == (module.shape[1] * module.groups, *module.shape[2:])
    if weight.which in ("lora_B", "lora_embedding_A"):
        return shape[0 if weight.which == "lora_B" else 1] == module.shape[0]
    return weight.which != "lora_embedding_B" or shape[0] == module.shape[1]


def _why_strange(strange: list[Weight], base: Base) -> str:
    counts = Counter(name.rpartition(".")[0] for name in base.modules)
    for weight in strange:
        parts = weight.name.split(".")
        for place in (i for i, part in enumerate(parts) if INDEX.fullmatch(part)):
            layers = ".".join(parts[:place])
            sibling = ".".join([*parts[:place], "0", *parts[place + 1 :]])
            if int(parts[place]) >= counts[layers] and (sibling in base.modules or sibling in base.tensors):
                return (
                    f"has weights for {shown(weight.name)}, but {base.id} has only {counts[layers]} of {layers} "
                    f"(0 to {counts[layers] - 1}). It was trained on a model with more layers."
                )
    example = next((name for name, module in base.modules.items() if module.kind == "linear"), "none")
    return (
        f"has {len(strange):,} weights for modules that {base.id} does not have, {shown(strange[0].key)} for one; a "
        f"module there is {example}. It was trained on a model of another kind."
    )

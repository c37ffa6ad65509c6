"""Check an adapter before it is attached to a base, from its config and the header of its weights alone.

Owns the rules by which one is refused, and the card of one that passes. PEFT attaches nearly anything, in silence or
with a warning: what would do nothing, do something else than was trained, or change the base is refused here by name.
Reads no weight's value and imports no PEFT.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import psutil

from attention.errors import AdapterNeedsRenaming, AdapterRefused

from .adapted_parameters import pairs_of, separate_expert, sides, targeted_parameters, told_apart
from .base_modules import Base, BaseModule
from .base_names import is_base
from .files import AdapterFiles
from .health_card import HealthCard, TouchedModule, listed
from .keys import Weight, is_on_another, read_keys, unwrapped
from .layout_search import layout_of
from .lora_config import LoraSettings, read_settings, shown
from .older_names import Layout
from .replaced_tensors import ReplacedTensors, is_head, replaced_tensors
from .targets import Targets, all_linear

Number = TypeVar("Number", int, float)

__all__ = ["AdapterLimits", "HealthCard", "TouchedModule", "inspect_adapter"]

ATTACHABLE = ("linear", "embedding", "conv")
MERGE_BEFORE_5 = (
    "Merge it with the version of transformers that it was trained with (merge_and_unload, then save_pretrained), and "
    "give the merged folder as the model"
)


@dataclass(frozen=True)
class AdapterLimits:
    """Limits of what a machine is asked for: a rank, bytes of the files, seconds for patterns.

    None: whatever PEFT can compute, and as many bytes as there is memory free.
    """

    rank: int | None = None
    size_bytes: int | None = None
    pattern_seconds: float = 10.0

    @classmethod
    def hosted(cls) -> AdapterLimits:
        """On a server that strangers send adapters to."""
        return cls(rank=512, size_bytes=1 << 30, pattern_seconds=5.0)


def inspect_adapter(
    files: AdapterFiles, base: Base, rename: bool = False, alone: bool = False, limits: AdapterLimits | None = None
) -> HealthCard:
    """Return what an adapter would do to a base.

    `rename` confirms that keys in an older layout are this model's, `alone` that other trained weights which lie beside
    the adapter are left out. Raises AdapterRefused with the reason; AdapterNeedsRenaming or AdapterIncomplete, which
    are such, when only that confirmation is missing.
    """
    limits = limits or AdapterLimits()
    who = files.id
    size = files.size_bytes + (0 if alone else sum(file.size_bytes for file in files.parts if file.is_loadable))
    if limits.size_bytes is not None and size > limits.size_bytes:
        raise AdapterRefused(f"{who} is {size / 1e9:.1f} GB large; the limit here is {limits.size_bytes / 1e9:.1f} GB.")
    if limits.size_bytes is None and size > (free := psutil.virtual_memory().available):
        raise AdapterRefused(
            f"{who} is {size / 1e9:.1f} GB large, and {free / 1e9:.1f} GB of memory are free. Close other programs, or "
            "take a machine with more."
        )
    settings = read_settings(files.config, who)
    heads = tuple(key for key in files.header if is_head(key, base))
    files = replace(files, header={key: record for key, record in files.header.items() if key not in heads})
    read = read_keys(files)
    plain, wrapped = unwrapped(read, base)
    weights = told_apart(plain, settings, base)
    if odd := separate_expert(weights, base):
        raise AdapterRefused(
            f"{who} has weights for each expert, {shown(odd.key)} for one, and {base.id} has one parameter for all "
            f"experts since transformers 5. {MERGE_BEFORE_5}."
        )
    layout, renames = layout_of(files, base, weights, rename)
    if wrapped and not rename:
        pairs = listed(f"{shown(then)} is now {shown(now)}" for then, now in wrapped)
        raise AdapterNeedsRenaming(
            f"{who} names modules as a wrapped model does ({pairs}). If it was trained on this model, confirm the "
            "renaming (rename=True).",
            wrapped,
        )
    renames = (*wrapped, *renames)
    beside = replaced_tensors(files, base, layout, rename, alone)
    written = {layout.now(weight.name): weight.written for weight in weights if weight.written and weight.which}
    parts = _Parts(files, base, settings, layout, written, limits)
    if is_on_another(read):
        parts.notes.append(
            "Its names are those of an adapter on a model that had another adapter; what that one changed is not in "
            "the picture, unless it was merged into this base."
        )
    for weight in weights:
        parts.sort(weight)
    for weight in beside.weights:
        parts.take(weight, weight.name)
    return parts.card(len(weights) + len(beside.weights), (*renames, *beside.renames), beside, heads)


class _Parts:
    """A file's weights, sorted by what they are for, and judged."""

    def __init__(
        self,
        files: AdapterFiles,
        base: Base,
        settings: LoraSettings,
        layout: Layout,
        written: dict[str, str],
        limits: AdapterLimits,
    ):
        self._files, self._base, self._settings, self._limits = files, base, settings, limits
        self._layout = layout
        self._then = {name: layout.then(name) for name in base.modules}  # the names that the config speaks of ...
        self._written = written  # ... if it was not those of a wrapped model
        parameters = (
            f"{then}.{each}"
            for name, then in self._then.items()
            for each in targeted_parameters(base, settings, name, then)
        )
        names = [*self._then.values(), *written.values(), *parameters]
        self._targets = Targets(settings, names, limits.pattern_seconds, files.id)
        self.notes: list[str] = []  # what must be said of every run with it
        self._replaced = self._modules_to_save()
        self._lora: dict[str, dict[str, Weight]] = defaultdict(dict)
        self._rows: dict[str, tuple[int, ...]] = {}  # of embeddings that it brings anew, by module
        self._new: dict[str, Weight] = {}  # tensors of replaced modules, by their names in the base
        self._copies: dict[str, Weight] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._also: dict[str, str] = {}  # tensors that are changed by what the file has for others, tied to them
        self._same: list[tuple[str, str]] = []
        self._unsure: list[str] = []  # modules for which the config has several alphas
        self._warnings = list(settings.warnings)

    def sort(self, weight: Weight) -> None:
        """Put one weight where it belongs. Raises AdapterRefused when it belongs nowhere."""
        name = self._layout.now(weight.name)
        if weight.which == "rows":
            self._take_rows(weight, name)
            return
        if weight.which is not None:
            place, known = self._lora[name], weight.which
            self._keys[weight.key] = (name, weight.which)
        elif weight.is_copy and not (self._settings.bias != "none" and name.endswith(".bias")):
            place, known = self._copies, name
            self._shape(weight, name)
        else:
            self.take(weight, name)
            return
        self._put(place, known, weight)

    def take(self, weight: Weight, tensor: str) -> None:
        """Let a weight take the place of one of the base's own tensors. Raises AdapterRefused when it does not fit."""
        self._put(self._new, tensor, weight)
        self._shape(weight, tensor)
        if tensor.rpartition(".")[0] in self._rows:
            raise self._refused(f"has {shown(weight.key)} besides rows of it (trainable_token_indices)")
        owner = next((name for name in self._replaced if _is_inside(tensor, name)), tensor.rpartition(".")[0])
        if not owner:
            raise self._refused(f"has {shown(weight.key)}, which belongs to no module of the base")
        self._keys[weight.key] = (owner, f"replaces.{tensor.removeprefix(f'{owner}.')}")

    def _put(self, place: dict[str, Weight], known: str, weight: Weight) -> None:
        if known in place:
            raise self._refused(
                f"has two weights for the same place, {shown(place[known].key)} and {shown(weight.key)}"
            )
        place[known] = weight

    def card(
        self, n_keys: int, renames: tuple[tuple[str, str], ...], beside: ReplacedTensors, heads: tuple[str, ...]
    ) -> HealthCard:
        """All judged. Raises AdapterRefused."""
        if not self._lora:
            raise self._refused("has no LoRA weights")
        self._tied()
        self._parameters_go_together()
        self._no_rows_missing()
        modules = tuple(each for name in self._base.modules if name in self._lora for each in self._all_touched(name))
        if self._unsure:
            self._warnings.append(
                f"Several keys of its alpha_pattern stand for {listed(self._unsure)}. PEFT sorts them as it saves and "
                "takes the first, so these may be stronger or weaker than they were trained."
            )
        self._nothing_missing_of_replaced()
        if not renames:  # under other names a pattern may speak of parts that the base has not
            self._nothing_else_targeted()
        missing = self._missing()
        self._about_base()
        for key, weight in self._copies.items():
            if key.rpartition(".")[0] not in self._lora:
                raise self._refused(f"has {shown(weight.key)}, which would be written over the base's own weight")
        self._tied_tensors()
        notes = [*self.notes, *beside.notes, *self._biases_that_were_lost()]
        if heads:
            notes.append(
                f"It has a head, {shown(heads[0])}, which attention does not depend on; it is left out."
                if len(heads) == 1
                else f"It has {len(heads)} weights of a head, {shown(heads[0])} for one, which attention does not "
                "depend on; they are left out."
            )
        self._warnings += beside.warnings
        layers: dict[str, set[int]] = defaultdict(set)
        for module in modules:
            if module.layer is not None:
                layers[module.tower].add(module.layer)
        copies = {weight.key: key.rpartition(".")[0] for key, weight in self._copies.items()}
        if copies:
            self._warnings.append(
                f"It has a copy of the base's weights of {listed(sorted(set(copies.values())))}, which is not used."
            )
        return HealthCard(
            id=self._files.id,
            base=self._base.id,
            revision=self._files.revision,
            sha256=self._files.sha256,
            size_bytes=self._files.size_bytes,
            base_named=self._settings.base_named and shown(self._settings.base_named, 200),
            peft_version=self._settings.peft_version and shown(self._settings.peft_version, 40),
            rank=_span(module.rank for module in modules),
            alpha=_span(module.alpha for module in modules),
            scaling=_span(module.scaling for module in modules),
            use_dora=self._settings.use_dora,
            use_rslora=self._settings.use_rslora,
            has_bias=self._settings.has_bias,
            towers=dict(Counter(module.tower for module in modules)),
            parts=dict(Counter(module.part for module in modules).most_common()),
            layers={tower: tuple(sorted(found)) for tower, found in layers.items()},
            modules=modules,
            replaces=tuple(
                dict.fromkeys(owner for owner, which in self._keys.values() if which.startswith("replaces"))
            ),
            parameters=sum(module.parameters for module in modules)
            + sum(weight.record.parameters for weight in self._new.values()),
            matched_keys=n_keys - len(copies),
            unmatched_keys=tuple(copies),
            missing=missing,
            renames=renames,
            warnings=tuple(self._warnings),
            notes=tuple(notes),
            keys=self._keys,
            copies=copies,
            also=self._also,
            rows=self._rows,
            same=tuple(self._same),
        )

    # What the config asks for

    def _parameters_go_together(self) -> None:
        settings = self._settings
        if (settings.has_bias or settings.use_dora) and any(
            targeted_parameters(self._base, settings, name, then) for name, then in self._then.items()
        ):
            raise self._refused("has target_parameters together with DoRA (use_dora) or lora_bias, which PEFT refuses")

    def _no_rows_missing(self) -> None:
        """Raise AdapterRefused for tokens of the config whose trained rows the file does not have."""
        tokens, lacking = self._settings.tokens, []
        if isinstance(tokens, dict):
            embeddings = [name for name, module in self._base.modules.items() if module.kind == "embedding"]
            named = {end: [name for name in embeddings if _is_called(self._then[name], end)] for end in tokens}
            lacking = [end for end, names in named.items() if tokens[end] and names and not self._rows.keys() & names]
        elif tokens and self._base.embedding is not None and self._base.embedding not in self._rows:
            lacking = [self._base.embedding]
        if lacking:
            raise self._refused(
                f"says in its config that rows of {shown(lacking[0])} were trained (trainable_token_indices), and its "
                "file has none of them"
            )

    # LoRA

    def _all_touched(self, name: str) -> list[TouchedModule]:
        if any(":" in which for which in self._lora[name]):
            return self._touched_parameters(name)
        return [self._touched(name)]

    def _touched_parameters(self, name: str) -> list[TouchedModule]:
        """The parameters of a module that the file has pairs of matrices for."""
        module, found, base = self._base.modules[name], self._lora[name], self._base
        some = next(iter(found.values()))
        names = targeted_parameters(base, self._settings, name, self._then[name])
        wanted = {f"{depth}:{which}" for depth in range(len(names)) for which in ("lora_A", "lora_B")}
        if found.keys() != wanted or not names:
            raise self._refused(
                f"has {len(found)} matrices for parameters of {name} ({shown(some.key)} for one), and its config "
                f"targets {listed(names) or 'none of them'} (target_parameters)"
            )
        shapes = {each: base.tensors[f"{name}.{each}"] for each in names}
        odd = next((each for each, shape in shapes.items() if len(shape) not in (2, 3) or shape[0] == 1), None)
        if odd is not None:
            raise self._refused(
                f"targets the parameter {name}.{odd}, which is {_sides(shapes[odd])}, no stack of matrices"
            )
        sized = {each: sides(shape, module.is_transposed) for each, shape in shapes.items()}
        pairs = next(pairs_of(names, found, sized), None)
        if pairs is None:
            said = listed(f"{each} {_sides(shape)}" for each, shape in shapes.items())
            raise self._refused(
                f"does not fit {base.id}: {shown(some.key)} is {_sides(some.record.shape)}, and the parameters of "
                f"{name} are {said}. It was trained on a model of another size"
            )
        touched = []
        for each, (first, second) in pairs.items():
            full = f"{name}.{each}"
            then = f"{self._then[name]}.{each}"
            rank, told = first.record.shape[0] // sized[each][0], self._targets.rank(then)
            self._limited(rank, full)
            if rank != told:
                raise self._refused(f"has rank {rank} for {full}, but its config says {told} (r, rank_pattern)")
            alpha, *others = self._targets.alphas(then)
            if set(others) - {alpha}:
                self._unsure.append(full)
            self._keys[first.key], self._keys[second.key] = (full, "parameter.lora_A"), (full, "parameter.lora_B")
            touched.append(
                TouchedModule(
                    name=full,
                    part=each,
                    tower=module.tower,
                    layer=module.layer,
                    rank=rank,
                    alpha=alpha,
                    scaling=self._settings.scaling(rank, alpha),
                    parameters=first.record.parameters + second.record.parameters,
                    kind="parameter",
                )
            )
        return touched

    def _take_rows(self, weight: Weight, name: str) -> None:
        """Rows of an embedding that were trained (trainable_token_indices), in the order of the config's tokens."""
        tokens, base = self._settings.tokens, self._base
        if isinstance(tokens, dict):
            tokens = next((each for end, each in tokens.items() if _is_called(self._then[name], end)), ())
        elif name != base.embedding:
            tokens = ()
        tensor = f"{name}.weight"
        if not tokens or base.modules[name].kind != "embedding":
            raise self._refused(f"has {shown(weight.key)}, and its config names no tokens for {name}")
        if name in self._rows or tensor in self._new or name in self._lora:
            raise self._refused(f"has {shown(weight.key)} besides other weights for {name}")
        size, width = base.tensors[tensor]
        if max(tokens) >= size:
            raise self._refused(f"trained the token {max(tokens):,}, and {base.id} has {size:,}")
        self._expect(weight, (len(tokens), width), name)
        self._rows[name] = tokens
        self._keys[weight.key] = (name, "rows")
        if base.tied and name == base.embedding:
            self._also[f"{base.head}.weight"] = weight.key

    def _touched(self, name: str) -> TouchedModule:
        module, found = self._base.modules[name], self._lora[name]
        some = next(iter(found.values()))
        if module.kind not in ATTACHABLE:
            raise self._refused(
                f"has {shown(some.key)}, but {name} is no module that LoRA can be attached to{_since_when(module)}"
            )
        if self._is_replaced(name):
            raise self._refused(f"has LoRA weights for {name}, which it also replaces (modules_to_save)")
        if not self._is_target(name):
            raise self._refused(
                f"has weights for {shown(self._then[name])}, which its config does not target "
                "(target_modules, exclude_modules, layers_to_transform), so PEFT would leave them out"
            )
        first, second = ("lora_embedding_A", "lora_embedding_B") if module.kind == "embedding" else ("lora_A", "lora_B")
        wanted = {first, second}
        wanted |= {"magnitude"} if self._settings.use_dora else set()
        wanted |= {"lora_B.bias"} if self._settings.has_bias else set()
        if "lora_B.bias" in wanted and module.kind == "embedding":
            raise self._refused(f"sets lora_bias and targets the embedding {name}, which PEFT refuses")
        if found.keys() - wanted:
            odd = min(found.keys() - wanted)
            reason = {
                "magnitude": "has the magnitude vector of DoRA, {}, but its config does not set use_dora",
                "lora_B.bias": "has {}, but its config does not set lora_bias",
            }.get(odd, f"has {{}}, but {name} is of kind {module.kind}, which has no {odd}")
            raise self._refused(reason.format(shown(found[odd].key)))
        if wanted - found.keys():
            lacking = min(wanted - found.keys())
            asked = {"magnitude": ", for which use_dora asks", "lora_B.bias": ", for which lora_bias asks"}
            raise self._refused(f"has {shown(some.key)} but no {lacking} for that module{asked.get(lacking, '')}")
        rank = self._rank(name, module, found[first], found[second])
        assert module.shape is not None  # of linear layers, convolutions and embeddings
        out = module.shape[1] if module.kind == "embedding" else module.shape[0]
        if "magnitude" in wanted:
            shape = (1, out, *(1 for _ in module.shape[2:])) if module.kind == "conv" else (out,)
            self._expect(found["magnitude"], shape, name)
        if "lora_B.bias" in wanted:
            self._expect(found["lora_B.bias"], (out,), name)
        alpha = self._alpha(name)
        return TouchedModule(
            name=name,
            part=module.part,
            tower=module.tower,
            layer=module.layer,
            rank=rank,
            alpha=alpha,
            scaling=self._settings.scaling(rank, alpha),
            parameters=sum(weight.record.parameters for weight in found.values()),
            kind=module.kind,
        )

    def _rank(self, name: str, module: BaseModule, first: Weight, second: Weight) -> int:
        """The rank of a module's pair of matrices, when they fit each other, the base and the config."""
        ranks = ((*first.record.shape, 0)[0], (*second.record.shape, 0, 0)[1])
        groups = module.groups
        if ranks[0] != ranks[1] * groups:
            raise self._refused(
                f"has matrices for {name} that do not go together: rank {ranks[0]} ({shown(first.key)}) and "
                f"{ranks[1] * groups}"
            )
        rank = ranks[0]
        assert module.shape is not None  # as above
        into: tuple[int, ...]
        out: tuple[int, ...]
        if module.kind == "embedding":
            into, out = (rank, module.shape[0]), (module.shape[1], rank)
        elif module.kind == "conv":
            channels, kernel = module.shape[1] * groups, module.shape[2:]
            into, out = (rank, channels, *kernel), (module.shape[0], rank // groups, *(1 for _ in kernel))
        else:
            into, out = (rank, module.shape[1]), (module.shape[0], rank)
        self._expect(first, into, name)
        self._expect(second, out, name)
        told = [self._targets.rank(each) for each in self._called(name)]
        if rank not in told:
            raise self._refused(f"has rank {rank} for {name}, but its config says {told[0]} (r, rank_pattern)")
        self._limited(rank, name)
        return rank

    def _limited(self, rank: int, name: str) -> None:
        most = self._limits.rank
        if most is not None and rank > most:
            raise self._refused(f"has rank {rank:,} for {name}; the limit here is {most:,}")

    def _alpha(self, name: str) -> float:
        first, *others = (self._targets.alphas(each) for each in self._called(name))
        if any(each[0] != first[0] for each in others):
            raise self._refused(
                f"has another alpha for {name} than for {shown(self._written[name])}, as it is called in the file "
                "(alpha_pattern). Save it from the model without its wrapper"
            )
        if set(first) - {first[0]}:
            self._unsure.append(name)
        return first[0]

    def _called(self, name: str) -> list[str]:
        """The names that a config may have meant a module by."""
        return [self._then[name], *([self._written[name]] if name in self._written else [])]

    def _is_target(self, name: str) -> bool:
        is_linear = all_linear(self._base, name)
        return any(self._targets.has(each, is_linear) for each in self._called(name)) or name == self._tied_head

    def _nothing_else_targeted(self) -> None:
        """Refuse a config by which LoRA would be on a part without a matrix: PEFT raises, and made no such adapter."""
        for name, module in self._base.modules.items():
            has_no_matrix = module.shape is None or module.kind == "norm"
            if has_no_matrix and not self._is_replaced(name) and self._is_target(name):
                raise self._refused(
                    f"targets {name} by its config (target_modules), which has no matrix that LoRA could be added to, "
                    "so PEFT cannot load it. Restore the config that was saved with it"
                )

    def _is_replaced(self, name: str) -> bool:
        return any(_is_inside(name, replaced) for replaced in self._replaced)

    def _missing(self) -> tuple[str, ...]:
        missing = tuple(
            name
            for name, module in self._base.modules.items()
            if name not in self._lora
            and (
                (module.kind in ATTACHABLE and self._is_target(name))
                or targeted_parameters(self._base, self._settings, name, self._then[name])
            )
        )
        if missing:
            self._warnings.append(
                f"Its config targets {len(missing):,} modules that it has no weights for, which stay as in the base: "
                f"{listed(missing)}."
            )
        return missing

    # Modules that are replaced

    def _modules_to_save(self) -> tuple[str, ...]:
        """The modules that PEFT would replace, by its rule: whose name ends in a given one. The outermost of nested."""
        ends = self._settings.replaces
        found: list[str] = []
        for name, then in self._then.items():
            if ends and then.endswith(ends) and not any(_is_inside(name, outer) for outer in found):
                found.append(name)
        return tuple(name for name in found if any(_is_inside(tensor, name) for tensor in self._base.tensors))

    def _biases_that_were_lost(self) -> list[str]:
        """A note where the config says that biases were trained and the file lacks some, as older PEFT saved it."""
        which, base = self._settings.bias, self._base
        owners = {"none": (), "all": base.modules}.get(which, self._lora)
        lost = [f"{name}.bias" for name in owners if f"{name}.bias" in base.tensors.keys() - self._new.keys()]
        if not lost:
            return []
        return [
            f"Its config says that biases were trained (bias {shown(which)}), and {len(lost):,} of them are not in its "
            f"file, {lost[0]} for one: they are the base's."
        ]

    def _tied_tensors(self) -> None:
        """PEFT writes what it was not told to replace over the base's weight, and so over what is tied to that.

        A module of `modules_to_save` is a copy of its own instead.
        """
        base = self._base
        if not base.tied:
            return
        ends = [f"{name}.weight" for name in (base.embedding, base.head)]
        for tensor, other in (ends, ends[::-1]):
            is_own = any(_is_inside(tensor, name) for name in self._replaced)
            if tensor in self._new and not is_own:
                if other not in self._new:
                    self._also[other] = self._new[tensor].key
                elif tensor == ends[0] and not any(_is_inside(other, name) for name in self._replaced):
                    self._same.append((self._new[tensor].key, self._new[other].key))

    def _nothing_missing_of_replaced(self) -> None:
        for name in self._replaced:
            for tensor in self._base.tensors:
                if _is_inside(tensor, name) and tensor not in self._new:
                    raise self._refused(f"replaces {name} (modules_to_save) but has no weights for {tensor}")
        idle = [
            shown(end, 40)
            for end in self._settings.replaces
            if not any(then.endswith(end) for then in self._then.values())
        ]
        if idle:
            self._warnings.append(f"It names {listed(idle)} in modules_to_save, which {self._base.id} does not have.")

    # Both

    @property
    def _tied_head(self) -> str | None:
        """The output layer, where the config ties what is attached to it to what is attached to the embedding."""
        return self._base.head if self._settings.ties and self._base.tied and self._base.head in self._lora else None

    def _tied(self) -> None:
        settings, base = self._settings, self._base
        if not (settings.ties and base.tied and base.embedding):
            return
        replaced = [name for name in (base.embedding, base.head) if f"{name}.weight" in self._new]
        for has in (self._lora.keys(), replaced):
            if base.embedding in has and base.head not in has and (has is not replaced or has[0] in self._replaced):
                raise self._refused(
                    f"ties {base.head} to {base.embedding} (ensure_weight_tying) but has no weights for {base.head}"
                )

    def _shape(self, weight: Weight, tensor: str) -> None:
        shape = self._base.tensors[tensor]
        owner = tensor.rpartition(".")[0]
        found = weight.record.shape
        if owner in (self._base.embedding, self._base.head) and found[1:] == shape[1:] and found != shape:
            raise self._refused(
                f"was trained with a vocabulary of {found[0]:,} tokens ({shown(weight.key)}), {self._base.id} has "
                f"{shape[0]:,}"
            )
        self._expect(weight, shape, owner)

    def _expect(self, weight: Weight, shape: tuple[int, ...], name: str) -> None:
        if weight.record.shape != shape:
            raise self._refused(
                f"does not fit {self._base.id}: {shown(weight.key)} is {_sides(weight.record.shape)}, and {name} needs "
                f"{_sides(shape)}. It was trained on a model of another size"
            )

    def _about_base(self) -> None:
        settings, base = self._settings, self._base
        if is_base(settings.base_named, base.id) is False:
            self._warnings.append(
                f"It says that it was trained on {shown(settings.base_named, 120)}, not on {base.id}."
            )
        if settings.base_class and settings.base_class != base.class_name:
            self._warnings.append(f"It was trained on a {shown(settings.base_class)}; this is a {base.class_name}.")

    def _refused(self, reason: str) -> AdapterRefused:
        return AdapterRefused(f"{self._files.id} {reason}.")


def _since_when(module: BaseModule) -> str:
    """Reason why a module with a matrix is not linear: routers of experts were, when older adapters were trained."""
    if module.shape is None or len(module.shape) != 2:
        return ""
    return f": it is a router, whose weight is a parameter since transformers 5. {MERGE_BEFORE_5}"


def _is_called(name: str, end: str) -> bool:
    return f".{name}".endswith(f".{end}")


def _is_inside(name: str, outer: str) -> bool:
    return name == outer or name.startswith(f"{outer}.")


def _span(values: Iterable[Number]) -> tuple[Number, Number]:
    found = list(values)
    return min(found), max(found)


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape[:6]) or "one number"

"""Health card of an adapter before it is attached, as data and as words. Owns the card; judges nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN = 6  # names in a line


@dataclass(frozen=True)
class TouchedModule:
    """A module of the base that the adapter adds to: base + scaling x B A. `parameters` are the adapter's own."""

    name: str
    part: str
    tower: str
    layer: int | None
    rank: int
    alpha: float
    scaling: float
    parameters: int
    kind: str  # linear | embedding | conv | parameter, of which `name` is its own and not its module's


@dataclass(frozen=True)
class HealthCard:
    """An adapter that may be attached to a base, and all that its two files say without reading a weight.

    `rank`, `alpha` and `scaling` are (least, most) over its modules. `replaces` are modules some or all of whose own
    tensors it brings anew. `keys` says what each key of its files is: (module, which) with which one of lora_A, lora_B,
    lora_B.bias, lora_embedding_A, lora_embedding_B, magnitude, "parameter." and lora_A or lora_B, "rows" (of the
    module's weight, those that `rows` lists), or "replaces." and the tensor's name inside the module; a key of a file
    beside the adapter is `file:key`. `copies` are keys that only repeat the base's own weight of a module,
    `unmatched_keys` their names: they are not to be loaded.
    `missing` are modules that its config targets and it has no weights for; they stay as they are in the base.
    `renames` are pairs (name then, name now) by which the file's keys, in an older layout, were read. `also` are
    tensors of the base, by name, that are tied to one for which the file has a key, and that key; `same` are pairs of
    keys for one weight of the base. `notes` are what must be said of every run with it.
    """

    id: str
    base: str
    revision: str | None
    sha256: str | None
    size_bytes: int
    base_named: str | None
    peft_version: str | None
    rank: tuple[int, int]
    alpha: tuple[float, float]
    scaling: tuple[float, float]
    use_dora: bool
    use_rslora: bool
    has_bias: bool
    towers: dict[str, int]
    parts: dict[str, int]
    layers: dict[str, tuple[int, ...]]
    modules: tuple[TouchedModule, ...]
    replaces: tuple[str, ...]
    parameters: int
    matched_keys: int
    unmatched_keys: tuple[str, ...]
    missing: tuple[str, ...]
    renames: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    keys: dict[str, tuple[str, str]]
    copies: dict[str, str]
    rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)
    same: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def replaced_tensors(self) -> dict[str, str]:
        """The base's tensors that others take the place of, by name, and the keys of these."""
        own = {
            f"{module}.{which.removeprefix('replaces.')}": key
            for key, (module, which) in self.keys.items()
            if which.startswith("replaces.")
        }
        rows = {f"{module}.weight": key for key, (module, which) in self.keys.items() if which == "rows"}
        return own | rows | self.also

    def notes_of_a_run(self) -> list[str]:
        """The notes as run.json has them, beside those of the picture."""
        name = re.split(r"[/\\]", self.id.rstrip("/\\"))[-1]
        return [f"Adapter {name}: {note}" for note in self.notes]

    def to_dict(self) -> dict[str, Any]:
        """The card as plain JSON."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def lines(self) -> list[str]:
        """The card in words, for a terminal or a page."""
        kind = "DoRA" if self.use_dora else "LoRA"
        scaling = f"scaling {_range(self.scaling)}" + (" (rank-stabilised)" if self.use_rslora else "")
        towers = ", ".join(
            f"{tower} {count}" + (f" ({_layers(self.layers[tower])})" if self.layers.get(tower) else "")
            for tower, count in self.towers.items()
        )
        parts = ", ".join(f"{part} {count}" for part, count in self.parts.items())
        said = [
            f"{self.id}: {kind}, rank {_range(self.rank)}, alpha {_range(self.alpha)}, {scaling}",
            f"fits {self.base}; modules: {towers}",
            f"parts: {parts}",
            f"{self.parameters:,} parameters, {self.size_bytes / 1e6:,.1f} MB"
            + (f", sha256 {self.sha256[:12]}" if self.sha256 else "")
            + (f", revision {self.revision[:12]}" if self.revision else ""),
        ]
        if self.base_named or self.peft_version:
            trained = f"trained on {self.base_named}" if self.base_named else "does not say what it was trained on"
            said.append(trained + (f", PEFT {self.peft_version}" if self.peft_version else ""))
        said += [f"replaces {len(tokens):,} rows of {name}" for name, tokens in self.rows.items()]
        if self.replaces:
            said.append(f"replaces {listed(self.replaces)}")
        said += [f"keys renamed: {then} is now {now}" for then, now in self.renames]
        return said + [f"warning: {warning}" for warning in (*self.notes, *self.warnings)]


def listed(names: Iterable[str]) -> str:
    """Names in a line: the first few, and how many more."""
    names = list(names)
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _range(pair: tuple[float, float]) -> str:
    least, most = pair
    return f"{least:.4g}" if least == most else f"{least:.4g} to {most:.4g}"


def _layers(numbers: tuple[int, ...]) -> str:
    """0, 1, 2, 5 as "layers 0-2, 5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    said = ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
    return f"layer {said}" if len(numbers) == 1 else f"layers {said}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
